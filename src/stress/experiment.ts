/** What experiments have in common. */

/** Shows a line of progress as often as the screen likes, until what it returns is called. */
export type Watcher = (describe: () => string) => () => void;

export interface Experiment<Run> {
  readonly runs: readonly Run[];
  /** All was as it should be. */
  readonly held: boolean;
  /** The system's calls that were made, where it made some. */
  readonly calls?: string;
}
