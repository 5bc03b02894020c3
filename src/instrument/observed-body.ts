/**
 * Passes a body through piece by piece and tells what happens to it. Nothing is
 * read before its reader asks (back-pressure is the source's), nothing is held,
 * and errors arrive as they were. A byte stream stays a byte stream.
 */
export type BodyObserver = {
  /** Called once, when the first piece is asked for. */
  onStart?(): void;
  /** Called before the piece is handed on. It must not keep a view: the bytes may be transferred. */
  onPiece(bytes: Uint8Array): void;
  onEnd(): void;
  onError(error: unknown): void;
  /** The reader gave the body up. */
  onCancel(): void;
};

export function observeBody(body: ReadableStream, observer: BodyObserver): ReadableStream {
  // Taken at the first read: until then the source sees an untouched body, and frees
  // the connection itself when the caller drops the answer.
  let reader: ReadableStreamDefaultReader<unknown> | undefined;

  async function pull(controller: Controller): Promise<void> {
    if (!reader) {
      observer.onStart?.();
      reader = body.getReader();
      failWhenClosed(reader, new WeakRef(controller), observer);
    }
    try {
      const { done, value } = await reader.read();
      if (done) {
        observer.onEnd();
        controller.close();
        if ("byobRequest" in controller) controller.byobRequest?.respond(0);
        return;
      }
      if (value instanceof Uint8Array) observer.onPiece(value);
      // A byte stream gives Uint8Array; another stream passes on whatever it gives.
      controller.enqueue(value as Uint8Array<ArrayBuffer>);
    } catch (error) {
      fail(controller, error, observer);
    }
  }

  function cancel(reason: unknown): Promise<void> {
    observer.onCancel();
    return reader ? reader.cancel(reason) : body.cancel(reason);
  }

  return isByteStream(body)
    ? new ReadableStream({ type: "bytes", pull, cancel })
    : new ReadableStream({ pull, cancel }, { highWaterMark: 0 });
}

type Controller = ReadableStreamDefaultController | ReadableByteStreamController;

function fail(controller: Controller, error: unknown, observer: BodyObserver): void {
  observer.onError(error);
  controller.error(error);
}

/**
 * An abort between two reads reaches the caller at once, not at the next read. Weak,
 * since the connection holds what is kept here: a stream that nobody has any more
 * must be seen to be dropped.
 */
function failWhenClosed(
  reader: ReadableStreamDefaultReader<unknown>,
  controller: WeakRef<Controller>,
  observer: BodyObserver,
): void {
  reader.closed.catch((error) => {
    const alive = controller.deref();
    if (alive) fail(alive, error, observer);
    else observer.onError(error);
  });
}

/** A byte stream transfers the memory of its pieces; doing so to another's would take it away from its owner. */
function isByteStream(body: ReadableStream): boolean {
  try {
    body.getReader({ mode: "byob" }).releaseLock();
    return true;
  } catch {
    return false;
  }
}
