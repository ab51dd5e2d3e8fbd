/** What an ordered pool tells of itself. */
export interface OrderedPoolStatistics {
  /** Threads that have loaded the handler, without those that were told to end. */
  readonly threads: number;
  /** Threads that are loading it. */
  readonly starting: number;
  /** Of `threads`, those with a job. */
  readonly busy: number;
  /** Of `threads`, those without one. */
  readonly dormant: number;
  /** Most threads there ever were at one time. */
  readonly mostThreads: number;
  /** Dispatches that found no room yet. */
  readonly waiting: number;
  /** Jobs that no thread has taken yet. */
  readonly queued: number;
  /** Jobs accepted and not answered: queued, taken, or waiting for their key's turn. */
  readonly pending: number;
  /** Other threads that are attached. */
  readonly dispatchers: number;
  /** Keys with pending jobs. */
  readonly keys: number;
  /** Calls of `dispatch` that were not refused at once. */
  readonly dispatched: number;
  /** Dispatches answered with a result. */
  readonly completed: number;
  /** Dispatches that no thread took within `dispatchTimeoutMs`. */
  readonly waited: number;
  /** Threads started because of that. */
  readonly grown: number;
  /** Dormant threads that maintenance ended. */
  readonly shrunk: number;
  /** Threads started for one that died. */
  readonly replaced: number;
  readonly failures: {
    /** Dispatches that the handler answered with an exception. */
    readonly handler: number;
    /** Dispatches lost with a thread that died. */
    readonly thread: number;
    /** Dispatches that no thread took in time. */
    readonly timedOut: number;
    /** Dispatches refused because too many waited, or too long for the memory. */
    readonly refused: number;
    /** Results that nobody took: the attached thread had gone. */
    readonly dropped: number;
    /** Dispatches given up by `close`. */
    readonly canceled: number;
    /** Threads that died at work. */
    readonly deaths: number;
    /** Threads that could not start. */
    readonly starts: number;
  };
  /** How long the longest running call of the handler has been running; 0 if none is. */
  readonly longestRunningMs: number;
}
