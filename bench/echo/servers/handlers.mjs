// The handlers of the batch servers, a module of its own because I/O workers load it.

export function messages(batch) {
  for (let i = 0; i < batch.length; i++) batch.echo(i);
}

export function error(_connection, error) {
  console.error(error);
}
