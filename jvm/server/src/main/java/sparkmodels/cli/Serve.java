package sparkmodels.cli;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import sparkmodels.packages.ModelPackage;
import sparkmodels.scoring.Scorer;
import sparkmodels.server.ScoringServer;
import sparkmodels.server.ServerOptions;

@Command(name = "serve", description = "Answers HTTP requests until it is ended.", mixinStandardHelpOptions = true)
final class Serve implements Callable<Integer> {
    @Mixin
    private ModelOption model;

    @Option(names = "--host", defaultValue = "127.0.0.1", description = "Address to bind (${DEFAULT-VALUE}).")
    private String host;

    @Option(
            names = {"-p", "--port"},
            defaultValue = "5000",
            description = "Port to bind, 0 for any (${DEFAULT-VALUE}).")
    private int port;

    @Option(
            names = {"-w", "--workers"},
            defaultValue = "0",
            description = "Threads that score; 0 for one a core.")
    private int workers;

    @Option(names = "--queue", defaultValue = "256", description = "Requests that may wait (${DEFAULT-VALUE}).")
    private int queue;

    @Option(names = "--max-body", defaultValue = "67108864", description = "Bytes of a body (${DEFAULT-VALUE}).")
    private int maxBody;

    @Option(names = "--timeout", defaultValue = "60", description = "Seconds until an answer (${DEFAULT-VALUE}).")
    private int timeout;

    @Option(names = "--wrap", description = "Put every answer under \"predictions\".")
    private boolean wrap;

    @Option(names = "--debug", description = "Show the model's own errors, which may hold values of the rows.")
    private boolean debug;

    @Option(
            names = "--allow-host",
            paramLabel = "NAME",
            description = "Another name that this server is called by; * for any.")
    private Set<String> allowedHosts = Set.of();

    @Override
    public Integer call() throws InterruptedException {
        ModelPackage opened = model.open();
        int threads = workers > 0 ? workers : ServerOptions.DEFAULT.threads();
        ServerOptions options = new ServerOptions(
                host, port, threads, queue, maxBody, Duration.ofSeconds(timeout), wrap, debug, allowedHosts);
        try (Scorer scorer = Scorer.load(opened)) {
            ScoringServer server = new ScoringServer(scorer, opened, options);
            server.start();
            Runtime.getRuntime().addShutdownHook(new Thread(server::stop));
            System.out.println(
                    "listening on http://" + host + ":" + server.port().orElseThrow());
            server.join();
        }
        return 0;
    }
}
