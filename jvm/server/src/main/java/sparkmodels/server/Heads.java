package sparkmodels.server;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.server.ConnectionMetaData;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * Ends connections on which no request's head has come whole in time. Jetty's own timeout begins anew with every byte,
 * so that a client could send a head for ever.
 */
final class Heads extends Handler.Wrapper implements Connection.Listener {
    /** Stands for a connection whose request is being answered: its body and the model have times of their own. */
    private static final Long ANSWERING = Long.MAX_VALUE;

    private final Map<Connection, Long> since = new ConcurrentHashMap<>();
    private final Duration most;

    Heads(Handler handler, Duration most) {
        super(handler);
        this.most = most;
    }

    @Override
    public void onOpened(Connection connection) {
        // TLS is a connection around the one of HTTP.
        if (connection instanceof ConnectionMetaData) {
            since.put(connection, System.nanoTime());
        }
    }

    @Override
    public void onClosed(Connection connection) {
        since.remove(connection);
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) throws Exception {
        Connection connection = request.getConnectionMetaData().getConnection();
        since.replace(connection, ANSWERING);
        Request.addCompletionListener(request, failure -> since.replace(connection, System.nanoTime()));
        return super.handle(request, response, callback);
    }

    /** To be called now and then. */
    void endSlow() {
        long now = System.nanoTime();
        since.forEach((connection, begin) -> {
            if (!begin.equals(ANSWERING) && now - begin > most.toNanos()) {
                connection.getEndPoint().close(new TimeoutException("no head in " + most));
            }
        });
    }
}
