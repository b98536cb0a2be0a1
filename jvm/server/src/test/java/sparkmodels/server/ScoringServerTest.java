package sparkmodels.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import sparkmodels.errors.ModelException;
import sparkmodels.fixtures.Packages;
import sparkmodels.packages.ModelPackage;
import sparkmodels.scoring.Field;
import sparkmodels.scoring.Scorer;

final class ScoringServerTest {
    private static final String SPLIT =
            "{\"columns\": [\"age\", \"city\", \"visits\"], \"data\": [[90, \"Rome\", 4], [10.5, \"Oslo\", 0]]}";
    private static final ServerOptions OPTIONS = ServerOptions.DEFAULT.withPort(0);

    @TempDir
    Path root;

    private final HttpClient client = HttpClient.newHttpClient();
    private ModelPackage model;
    private ScoringServer server;

    @BeforeEach
    void start() {
        model = ModelPackage.open(Packages.small(root));
        server = new ScoringServer(Scorer.load(model), model, OPTIONS);
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop();
    }

    @Test
    @DisplayName("jvm.server.ping: GET /ping gives 200")
    void ping() throws Exception {
        assertEquals(200, get("/ping").statusCode());
        assertEquals(200, get("/health").statusCode());
        assertTrue(get("/version").body().contains("\"flavors\":[\"mleap\"]"));
    }

    @Test
    @DisplayName("jvm.server.invocations: split JSON gives 200 with the scorer's answer")
    void invocations() throws Exception {
        HttpResponse<String> answer = post("application/json", SPLIT);
        assertEquals(200, answer.statusCode());
        assertEquals("[{\"prediction\":1.0},{\"prediction\":0.0}]", answer.body());
        assertEquals(
                "application/json", answer.headers().firstValue("content-type").orElseThrow());
        String metrics = get("/metrics").body();
        assertTrue(metrics.contains("spark_models_requests_total{status=\"200\"} 1\n"), metrics);
        assertTrue(metrics.contains("spark_models_request_seconds_bucket{le=\"+Inf\"} 1\n"), metrics);
        assertTrue(metrics.contains("spark_models_rows_total 2\n"), metrics);
        assertTrue(metrics.contains("spark_models_waiting_requests 0\n"), metrics);
    }

    @Test
    void otherBodies() throws Exception {
        String one = "[{\"prediction\":1.0}]";
        String both = "[{\"prediction\":1.0},{\"prediction\":0.0}]";
        assertEquals(
                one,
                post("application/json; format=pandas-records", "[{\"age\": 90, \"city\": \"Rome\", \"visits\": 4}]")
                        .body());
        assertEquals(
                one,
                post("application/json", "{\"instances\": [{\"age\": 90, \"city\": \"Rome\", \"visits\": 4}]}")
                        .body());
        assertEquals(
                "{\"predictions\":" + both + "}",
                post("application/json", "{\"dataframe_split\": " + SPLIT + "}").body());
        assertEquals(
                both,
                post("text/csv; charset=utf-8", ",age,city,visits\n0,90,Rome,4\n1,10.5,Oslo,0\n")
                        .body());
    }

    @Test
    @DisplayName("jvm.server.bad_content_type: overruled, 415 as the Python server answers; also where it is missing")
    void contentTypes() throws Exception {
        assertError(415, "UNSUPPORTED_MEDIA_TYPE", post("text/plain", SPLIT));
        assertError(415, "UNSUPPORTED_MEDIA_TYPE", post("application/json; charset=latin-1", SPLIT));
        assertError(
                415,
                "UNSUPPORTED_MEDIA_TYPE",
                client.send(
                        HttpRequest.newBuilder(uri("/invocations"))
                                .POST(HttpRequest.BodyPublishers.ofString(SPLIT))
                                .build(),
                        HttpResponse.BodyHandlers.ofString()));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{|JSON_BODY",
                "{}|JSON_BODY",
                "[{\"age\": 1, \"age\": 1, \"city\": \"Rome\", \"visits\": 1}]|JSON_BODY",
                "{\"instances\": [[1, \"Rome\", 1]]}|MISSING_COLUMNS",
                "[{\"age\": 1, \"city\": \"Rome\"}]|MISSING_COLUMNS",
                "[{\"age\": \"old\", \"city\": \"Rome\", \"visits\": 1}]|JSON_VALUE",
                "[{\"age\": 1, \"city\": \"Rome\", \"visits\": 1.5}]|JSON_VALUE",
                "[{\"age\": 1, \"city\": \"Rome\", \"visits\": true}]|JSON_VALUE",
                "[{\"age\": 1, \"city\": \"Rome\", \"visits\": 3000000000}]|JSON_VALUE",
                "[{\"age\": 1, \"city\": \"Rome\", \"visits\": null}]|NULLS_IN_COLUMN",
                "[{\"age\": \"Atlantis\", \"city\": \"Rome\", \"visits\": true}]|INVALID_INPUT"
            })
    void callersFault(String body, String code) throws Exception {
        HttpResponse<String> answer = post("application/json", body);
        assertError(400, "BAD_REQUEST", answer);
        assertTrue(answer.body().contains("\"message\":\"[" + code + "] "), answer.body());
        assertFalse(answer.body().contains("Atlantis"), "no values of a row leave the server");
    }

    @Test
    void rowsThatTheModelRefusesAreTheModelsWord() throws Exception {
        String row = "[{\"age\": 1, \"city\": \"Atlantis\", \"visits\": 1}]";
        HttpResponse<String> answer = post("application/json", row);
        assertError(500, "MODEL_FAILED", answer);
        assertFalse(answer.body().contains("Atlantis"), "no values of a row leave the server");
        serve(Scorer.load(model), OPTIONS.withDebug(true));
        assertTrue(post("application/json", row).body().contains("\"stack_trace\":\"sparkmodels.errors.RowException"));
    }

    @Test
    void answersThatAreNotGiven() throws Exception {
        HttpRequest request = HttpRequest.newBuilder(uri("/invocations"))
                .header("content-type", "application/json")
                .header("accept", "text/html")
                .POST(HttpRequest.BodyPublishers.ofString(SPLIT))
                .build();
        assertError(406, "NOT_ACCEPTABLE", client.send(request, HttpResponse.BodyHandlers.ofString()));
    }

    @Test
    void theInferenceProtocol() throws Exception {
        String name = root.getFileName().toString();
        assertEquals("{\"live\":true}", get("/v2/health/live").body());
        assertEquals("{\"name\":\"" + name + "\",\"ready\":true}", get("/v2/health/ready").body());
        assertTrue(get("/v2/models/" + name).body().contains("{\"name\":\"visits\",\"datatype\":\"INT32\",\"shape\":[-1]}"));
        String inputs =
                """
                [{"name": "age", "datatype": "FP64", "shape": [2, 1], "data": [[90], [10.5]]},
                 {"name": "city", "datatype": "BYTES", "shape": [2], "data": ["Rome", "Oslo"]},
                 {"name": "visits", "datatype": "INT32", "shape": [2], "data": [4, 0]}]""";
        String path = "/v2/models/" + name + "/infer";
        assertEquals(
                "{\"model_name\":\"" + name + "\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"prediction\","
                        + "\"datatype\":\"FP64\",\"shape\":[2],\"data\":[1.0,0.0]}],\"id\":\"7\"}",
                post(path, "application/json", "{\"id\": \"7\", \"inputs\": " + inputs + "}")
                        .body());
        for (String wrong : List.of(
                "{}",
                "{\"inputs\": []}",
                "{\"inputs\": " + inputs.replace("[2, 1]", "[3]") + "}",
                "{\"inputs\": " + inputs.replace("FP64", "FP65") + "}",
                "{\"inputs\": " + inputs.replace("\"age\"", "\"visits\"") + "}",
                "{\"inputs\": [{\"name\": \"age\", \"datatype\": \"FP64\", \"shape\": [2000000000, 0], \"data\": []}]}",
                "{\"inputs\": " + inputs + ", \"parameters\": {\"a\": 1}}")) {
            HttpResponse<String> answer = post(path, "application/json", wrong);
            assertError(400, "BAD_REQUEST", answer);
            assertTrue(answer.body().contains("\"error\":\"["), answer.body());
        }
        assertEquals(404, get("/v2/models/other").statusCode());
    }

    @Test
    void theDocumentAndThePage() throws Exception {
        String document = get("/openapi.json").body();
        assertTrue(document.startsWith("{\"openapi\":\"3.1.0\""), document);
        assertTrue(document.contains("\"required\":[\"age\",\"city\",\"visits\"]"), document);
        HttpResponse<String> page = get("/");
        assertEquals("text/html; charset=utf-8", page.headers().firstValue("content-type").orElseThrow());
        assertTrue(page.headers().firstValue("content-security-policy").orElseThrow().contains("script-src 'sha256-"));
        assertTrue(page.body().contains("\"name\":\"" + root.getFileName() + "\""));
    }

    @Test
    void tokens() throws Exception {
        serve(
                Scorer.load(model),
                OPTIONS.withAccess(new ServerOptions.Access(
                        Set.of(), Set.of(), Optional.of("open-sesame"), Optional.empty())));
        HttpResponse<String> refused = post("application/json", SPLIT);
        assertError(401, "UNAUTHORIZED", refused);
        assertEquals("Bearer", refused.headers().firstValue("www-authenticate").orElseThrow());
        assertEquals(401, get("/metrics").statusCode());
        assertEquals(200, get("/ping").statusCode());
        HttpRequest request = HttpRequest.newBuilder(uri("/invocations"))
                .header("content-type", "application/json")
                .header("authorization", "Bearer open-sesame")
                .POST(HttpRequest.BodyPublishers.ofString(SPLIT))
                .build();
        assertEquals(200, client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
    }

    @Test
    void pagesOfOtherSites() throws Exception {
        String head = "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: ";
        assertFalse(raw(head + "https://app.example\r\n\r\n").toLowerCase(Locale.ROOT).contains("access-control"));
        serve(
                Scorer.load(model),
                OPTIONS.withAccess(new ServerOptions.Access(
                        Set.of(), Set.of("https://app.example"), Optional.empty(), Optional.empty())));
        assertTrue(raw(head + "https://app.example\r\n\r\n").toLowerCase(Locale.ROOT)
                .contains("access-control-allow-origin: https://app.example"));
        assertFalse(raw(head + "https://b.example\r\n\r\n").toLowerCase(Locale.ROOT).contains("allow-origin"));
        assertTrue(raw(head.replace("GET /ping", "OPTIONS /invocations") + "https://app.example\r\n\r\n")
                .startsWith("HTTP/1.1 204"));
    }

    @Test
    void whatWasAskedIsAnsweredBeforeTheEnd() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        serve(
                new Stub(() -> {
                    begun.countDown();
                    try {
                        release.await();
                    } catch (InterruptedException error) {
                        Thread.currentThread().interrupt();
                    }
                }),
                OPTIONS);
        int port = server.port().orElseThrow();
        CompletableFuture<HttpResponse<String>> answer =
                client.sendAsync(request("application/json", SPLIT), HttpResponse.BodyHandlers.ofString());
        begun.await();
        Thread ending = new Thread(server::stop);
        ending.start();
        while (accepts(port)) {
            Thread.sleep(10);
        }
        assertTrue(ending.isAlive(), "it waits for the answer");
        release.countDown();
        assertEquals(200, answer.join().statusCode());
        assertEquals("close", answer.join().headers().firstValue("connection").orElse("close"));
        ending.join();
        assertFalse(server.isActive());
    }

    private static boolean accepts(int port) {
        try (Socket socket = new Socket("127.0.0.1", port)) {
            return socket.isConnected();
        } catch (IOException error) {
            return false;
        }
    }

    @Test
    void slowClients() throws Exception {
        serve(
                Scorer.load(model),
                OPTIONS.withLimits(
                        new ServerOptions.Limits(2, 4, 1000, Duration.ofSeconds(10), Duration.ofMillis(500))));
        String head = "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        try (Socket slow = new Socket("127.0.0.1", server.port().orElseThrow())) {
            slow.getOutputStream().write((head + "Content-Length: 10\r\n\r\n{").getBytes(StandardCharsets.US_ASCII));
            String answer = new String(slow.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertTrue(answer.startsWith("HTTP/1.1 408"), answer);
        }
        assertEquals(200, post("application/json", SPLIT).statusCode());
    }

    @Test
    void slowHeads() throws Exception {
        serve(
                Scorer.load(model),
                OPTIONS.withLimits(
                        new ServerOptions.Limits(2, 4, 1000, Duration.ofSeconds(10), Duration.ofMillis(400))));
        try (Socket slow = new Socket("127.0.0.1", server.port().orElseThrow())) {
            OutputStream stream = slow.getOutputStream();
            stream.write("GET /ping HTTP/1.1\r\nHost: local".getBytes(StandardCharsets.US_ASCII));
            // A byte now and then would keep Jetty's own timeout from passing.
            assertThrows(IOException.class, () -> {
                for (int at = 0; at < 100; at++) {
                    Thread.sleep(50);
                    stream.write('x');
                }
            });
        }
        assertEquals(200, get("/ping").statusCode());
    }

    @Test
    void aModelMayTakeLongerThanItsClientMayToSend() throws Exception {
        serve(
                new Stub(() -> {
                    try {
                        Thread.sleep(1500);
                    } catch (InterruptedException error) {
                        Thread.currentThread().interrupt();
                    }
                }),
                OPTIONS.withLimits(
                        new ServerOptions.Limits(2, 4, 1000, Duration.ofSeconds(10), Duration.ofMillis(300))));
        assertEquals(200, post("application/json", SPLIT).statusCode());
    }

    @Test
    void slowUploadsKeepNobodyFromTheModel() throws Exception {
        serve(Scorer.load(model), OPTIONS.withLimits(limits(1000, 0, Duration.ofSeconds(10))));
        String head = "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        List<Socket> slow = new java.util.ArrayList<>();
        try {
            for (int at = 0; at < 4; at++) {
                Socket socket = new Socket("127.0.0.1", server.port().orElseThrow());
                slow.add(socket);
                socket.getOutputStream()
                        .write((head + "Content-Length: 10\r\n\r\n{").getBytes(StandardCharsets.US_ASCII));
            }
            Thread.sleep(200);
            for (int at = 0; at < 5; at++) {
                HttpResponse<String> answer = post("application/json", SPLIT);
                assertEquals(200, answer.statusCode(), answer.body());
            }
            assertTrue(get("/metrics").body().contains("spark_models_waiting_requests 0\n"));
        } finally {
            for (Socket socket : slow) {
                socket.close();
            }
        }
    }

    @Test
    void bodiesThatAreTooLargeAreAnsweredBeforeTheyAreRead() throws Exception {
        serve(Scorer.load(model), OPTIONS.withLimits(limits(1000, 4, Duration.ofSeconds(10))));
        byte[] body = new byte[3_000_000];
        assertError(
                413,
                "BODY_TOO_LARGE",
                client.send(
                        HttpRequest.newBuilder(uri("/invocations"))
                                .header("content-type", "application/json")
                                .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                                .build(),
                        HttpResponse.BodyHandlers.ofString()));
        assertError(404, "NOT_FOUND", post("/nowhere", "application/json", " ".repeat(3_000_000)));
    }

    private static ServerOptions.Limits limits(int bytes, int queue, Duration timeout) {
        return new ServerOptions.Limits(2, queue, bytes, timeout, Duration.ofSeconds(10));
    }

    @Test
    @DisplayName(
            "jvm.server.predictor_failure: overruled, 500 with error_code and message as the Python server answers")
    void modelsFault() throws Exception {
        serve(
                new Stub(() -> {
                    throw new ModelException("INVALID_BUNDLE", "It broke", "a model");
                }),
                OPTIONS);
        assertError(500, "INVALID_BUNDLE", post("application/json", SPLIT));
        serve(
                new Stub(() -> {
                    throw new IllegalArgumentException("a secret");
                }),
                OPTIONS);
        HttpResponse<String> answer = post("application/json", SPLIT);
        assertError(500, "MODEL_FAILED", answer);
        assertFalse(answer.body().contains("secret"));
        for (Error error : List.of(new AssertionError("a secret"), new LinkageError("a secret"))) {
            serve(
                    new Stub(() -> {
                        throw error;
                    }),
                    OPTIONS.withLimits(limits(1000, 4, Duration.ofSeconds(10))));
            long start = System.nanoTime();
            answer = post("application/json", SPLIT);
            assertError(500, "MODEL_FAILED", answer);
            assertFalse(answer.body().contains("secret"));
            assertTrue(System.nanoTime() - start < Duration.ofSeconds(5).toNanos(), "at once");
        }
    }

    @Test
    void routesAndMethods() throws Exception {
        assertError(404, "NOT_FOUND", get("/nowhere"));
        HttpResponse<String> answer = get("/invocations");
        assertError(405, "METHOD_NOT_ALLOWED", answer);
        assertEquals("POST", answer.headers().firstValue("allow").orElseThrow());
    }

    @Test
    void largeBodies() throws Exception {
        serve(Scorer.load(model), OPTIONS.withLimits(limits(100, 4, Duration.ofSeconds(10))));
        assertError(413, "BODY_TOO_LARGE", post("application/json", " ".repeat(101)));
        HttpRequest chunked = HttpRequest.newBuilder(uri("/invocations"))
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofInputStream(() -> InputStream.nullInputStream()))
                .build();
        assertError(400, "BAD_REQUEST", client.send(chunked, HttpResponse.BodyHandlers.ofString()));
        HttpRequest large = HttpRequest.newBuilder(uri("/invocations"))
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofInputStream(() -> new java.io.ByteArrayInputStream(new byte[200])))
                .build();
        assertError(413, "BODY_TOO_LARGE", client.send(large, HttpResponse.BodyHandlers.ofString()));
    }

    @Test
    void deadlinesAndFullQueues() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        ServerOptions narrow = OPTIONS.withLimits(
                new ServerOptions.Limits(1, 1, 1000, Duration.ofMillis(1500), Duration.ofSeconds(10)));
        serve(
                new Stub(() -> {
                    try {
                        release.await();
                    } catch (InterruptedException error) {
                        Thread.currentThread().interrupt();
                    }
                }),
                narrow);
        List<java.util.concurrent.CompletableFuture<HttpResponse<String>>> answers = new java.util.ArrayList<>();
        for (int at = 0; at < 4; at++) {
            answers.add(client.sendAsync(request("application/json", SPLIT), HttpResponse.BodyHandlers.ofString()));
        }
        List<Integer> statuses = answers.stream()
                .map(answer -> answer.join().statusCode())
                .sorted()
                .toList();
        assertEquals(List.of(429, 429, 504, 504), statuses);
        release.countDown();
    }

    @Test
    void otherHosts() throws Exception {
        assertTrue(raw("GET /ping HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
                .startsWith("HTTP/1.1 421"));
        assertTrue(raw("GET /ping HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n")
                .startsWith("HTTP/1.1 200"));
        assertTrue(raw("GET /ping HTTP/1.1\r\nHost: " + Files.readString(Path.of("/proc/sys/kernel/hostname")).strip()
                        + "\r\nConnection: close\r\n\r\n")
                .startsWith("HTTP/1.1 200"));
        assertTrue(raw("nonsense\r\n\r\n").contains("REQUEST_REFUSED"));
    }

    @Test
    @DisplayName(
            "jvm.server.random_port: a free port, none when stopped, no second start, no bound port, start and stop"
                    + " again")
    void states() {
        assertTrue(server.isActive());
        int port = server.port().orElseThrow();
        assertTrue(port > 0);
        assertThrows(IllegalStateException.class, server::start);
        ScoringServer second = new ScoringServer(Scorer.load(model), model, OPTIONS.withPort(port));
        ServerStateException error = assertThrows(ServerStateException.class, second::start);
        assertTrue(error.getMessage().contains("127.0.0.1:" + port), error.getMessage());
        assertFalse(second.isActive());
        for (int at = 0; at < 3; at++) {
            server.stop();
            assertFalse(server.isActive());
            assertEquals(OptionalInt.empty(), server.port());
            server.start();
            assertTrue(server.port().isPresent());
        }
    }

    private void serve(Scorer scorer, ServerOptions options) {
        server.stop();
        server = new ScoringServer(scorer, model, options);
        server.start();
    }

    private URI uri(String path) {
        return URI.create("http://127.0.0.1:" + server.port().orElseThrow() + path);
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return client.send(HttpRequest.newBuilder(uri(path)).build(), HttpResponse.BodyHandlers.ofString());
    }

    private HttpRequest request(String type, String body) {
        return HttpRequest.newBuilder(uri("/invocations"))
                .header("content-type", type)
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
    }

    private HttpResponse<String> post(String type, String body) throws IOException, InterruptedException {
        return client.send(request(type, body), HttpResponse.BodyHandlers.ofString());
    }

    private HttpResponse<String> post(String path, String type, String body) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(uri(path))
                .header("content-type", type)
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        return client.send(request, HttpResponse.BodyHandlers.ofString());
    }

    private String raw(String text) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", server.port().orElseThrow())) {
            OutputStream stream = socket.getOutputStream();
            stream.write(text.getBytes(StandardCharsets.US_ASCII));
            stream.flush();
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
        }
    }

    private static void assertError(int status, String code, HttpResponse<String> answer) {
        assertEquals(status, answer.statusCode(), answer.body());
        assertTrue(answer.body().startsWith("{\"error_code\":\"" + code + "\",\"message\":\""), answer.body());
    }

    /** A model that does one thing for every row. */
    private record Stub(Runnable action) implements Scorer {
        @Override
        public List<Field> inputs() {
            return List.of(new Field("age", "double", true));
        }

        @Override
        public List<Field> outputs() {
            return List.of(new Field("prediction", "double", false));
        }

        @Override
        public List<Field> available() {
            return outputs();
        }

        @Override
        public Scorer withOutputs(List<String> names) {
            return this;
        }

        @Override
        public Object[] scoreRow(Object[] row) {
            action.run();
            return new Object[] {1.0};
        }

        @Override
        public void close() {}
    }
}
