/** The package's version, built in. */
export { version } from '../../package.json' with { type: 'json' };
