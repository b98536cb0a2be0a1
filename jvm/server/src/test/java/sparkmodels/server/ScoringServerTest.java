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
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
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
        assertEquals("[1.0,0.0]", answer.body());
        assertEquals(
                "application/json", answer.headers().firstValue("content-type").orElseThrow());
        assertTrue(get("/metrics").body().contains("spark_models_rows_total 2"));
    }

    @Test
    void otherBodies() throws Exception {
        assertEquals(
                "[1.0]",
                post("application/json; format=pandas-records", "[{\"age\": 90, \"city\": \"Rome\", \"visits\": 4}]")
                        .body());
        assertEquals(
                "[1.0]",
                post("application/json", "{\"instances\": [{\"age\": 90, \"city\": \"Rome\", \"visits\": 4}]}")
                        .body());
        assertEquals(
                "{\"predictions\":[1.0,0.0]}",
                post("application/json", "{\"dataframe_split\": " + SPLIT + "}").body());
        assertEquals(
                "[1.0,0.0]",
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
                "[{\"age\": 1, \"city\": \"Rome\"}]|MISSING_COLUMNS",
                "[{\"age\": \"old\", \"city\": \"Rome\", \"visits\": 1}]|COLUMN_TYPE",
                "[{\"age\": 1, \"city\": \"Rome\", \"visits\": 1.5}]|COLUMN_TYPE",
                "[{\"age\": 1, \"city\": \"Rome\", \"visits\": true}]|COLUMN_TYPE",
                "[{\"age\": 1, \"city\": \"Rome\", \"visits\": 3000000000}]|COLUMN_TYPE",
                "[{\"age\": 1, \"city\": \"Rome\", \"visits\": null}]|NULLS_IN_COLUMN",
                "[{\"age\": 1, \"city\": \"Atlantis\", \"visits\": 1}]|INVALID_INPUT"
            })
    void callersFault(String body, String code) throws Exception {
        HttpResponse<String> answer = post("application/json", body);
        assertError(400, code, answer);
        assertFalse(answer.body().contains("Atlantis"), "no values of a row leave the server");
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
        serve(Scorer.load(model), OPTIONS.withLimits(100, 4, Duration.ofSeconds(10)));
        assertError(413, "BODY_TOO_LARGE", post("application/json", " ".repeat(101)));
        HttpRequest chunked = HttpRequest.newBuilder(uri("/invocations"))
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofInputStream(() -> InputStream.nullInputStream()))
                .build();
        assertError(400, "JSON_BODY", client.send(chunked, HttpResponse.BodyHandlers.ofString()));
        HttpRequest large = HttpRequest.newBuilder(uri("/invocations"))
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofInputStream(() -> new java.io.ByteArrayInputStream(new byte[200])))
                .build();
        assertError(413, "BODY_TOO_LARGE", client.send(large, HttpResponse.BodyHandlers.ofString()));
    }

    @Test
    void deadlinesAndFullQueues() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        ServerOptions narrow = new ServerOptions(
                "127.0.0.1", 0, 1, 1, 1000, Duration.ofMillis(1500), false, false, java.util.Set.of());
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
