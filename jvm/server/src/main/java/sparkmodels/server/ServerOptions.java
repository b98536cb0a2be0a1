package sparkmodels.server;

import java.time.Duration;
import java.util.Set;

/**
 * The address and the limits of a server.
 *
 * @param host to bind
 * @param port to bind; 0 for any that is free
 * @param threads that score
 * @param queue requests that may wait for one
 * @param maxBody bytes of a body
 * @param timeout within which a request is answered
 * @param wrap whether every answer stands under {@code "predictions"}
 * @param debug whether an answer shows the model's own error, which may hold values of the rows
 * @param allowedHosts names in a request's Host besides the bound one and those of this machine; {@code *} for any
 */
public record ServerOptions(
        String host,
        int port,
        int threads,
        int queue,
        int maxBody,
        Duration timeout,
        boolean wrap,
        boolean debug,
        Set<String> allowedHosts) {
    /** Those of the Python server: loopback, port 5000, 64 MB, 256 waiting, 60 seconds. */
    public static final ServerOptions DEFAULT = new ServerOptions(
            "127.0.0.1",
            5000,
            Runtime.getRuntime().availableProcessors(),
            256,
            64 << 20,
            Duration.ofSeconds(60),
            false,
            false,
            Set.of());

    /** Copies the names. */
    public ServerOptions {
        allowedHosts = Set.copyOf(allowedHosts);
    }

    /** The same on another port. */
    public ServerOptions withPort(int other) {
        return new ServerOptions(host, other, threads, queue, maxBody, timeout, wrap, debug, allowedHosts);
    }

    /** The same with other limits. */
    public ServerOptions withLimits(int bytes, int waiting, Duration time) {
        return new ServerOptions(host, port, threads, waiting, bytes, time, wrap, debug, allowedHosts);
    }
}
