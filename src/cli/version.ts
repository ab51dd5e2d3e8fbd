/** The package's version, built in. */
import { version } from '../../package.json';

export { version };
