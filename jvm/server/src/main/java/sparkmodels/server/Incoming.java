package sparkmodels.server;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;

/**
 * The body of a request, read as it comes: a client that sends slowly holds no thread. What all of them hold is bounded
 * together.
 */
final class Incoming {
    /** Bodies of the largest size that are held at once, as the Python server has it. */
    private static final int BODIES_HELD = 4;

    private final Request request;
    private final int limit;
    private final AtomicLong held;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private volatile boolean stopped;
    private volatile boolean whole;

    /**
     * The body of a request.
     *
     * @param held the bytes of all bodies that are held now
     */
    Incoming(Request request, int limit, AtomicLong held) {
        this.request = request;
        this.limit = limit;
        this.held = held;
        this.whole = request.getLength() == 0;
    }

    /** Whether a client may still be sending. */
    boolean unread() {
        return !whole;
    }

    /** Gives the body when it is whole, or the error that it is refused with. */
    void read(Consumer<byte[]> taken, Consumer<HttpError> refused) {
        if (request.getLength() > limit) {
            refused.accept(HttpError.tooLarge(limit));
            return;
        }
        pull(taken, refused);
    }

    /** Takes no more of it, and gives back what it holds of the common bound. */
    synchronized void end() {
        if (!stopped) {
            stopped = true;
            held.addAndGet(-bytes.size());
        }
    }

    /** Reads what a client is still sending and drops it, so that it sees the answer before the end. */
    void discard(long most, Runnable done) {
        long left = most;
        while (left > 0) {
            Content.Chunk chunk = request.read();
            if (chunk == null) {
                long rest = left;
                request.demand(() -> discard(rest, done));
                return;
            }
            left -= Math.max(chunk.remaining(), 1);
            boolean last = chunk.isLast() || Content.Chunk.isFailure(chunk);
            chunk.release();
            if (last) {
                break;
            }
        }
        done.run();
    }

    private void pull(Consumer<byte[]> taken, Consumer<HttpError> refused) {
        while (!stopped) {
            Content.Chunk chunk = request.read();
            if (chunk == null) {
                request.demand(() -> pull(taken, refused));
                return;
            }
            if (Content.Chunk.isFailure(chunk)) {
                whole = true;
                refused.accept(HttpError.clientGone());
                return;
            }
            whole = chunk.isLast();
            Optional<HttpError> error = append(chunk.getByteBuffer());
            chunk.release();
            if (error.isPresent()) {
                refused.accept(error.get());
                return;
            }
            if (whole) {
                taken.accept(bytes.toByteArray());
                return;
            }
        }
    }

    private synchronized Optional<HttpError> append(ByteBuffer buffer) {
        int count = buffer.remaining();
        if (stopped) {
            return Optional.empty();
        }
        if (bytes.size() + count > limit) {
            return Optional.of(HttpError.tooLarge(limit));
        }
        if (held.addAndGet(count) > BODIES_HELD * (long) limit) {
            held.addAndGet(-count);
            return Optional.of(HttpError.queueFull(BODIES_HELD));
        }
        byte[] part = new byte[count];
        buffer.get(part);
        bytes.write(part, 0, count);
        return Optional.empty();
    }
}
