package sparkmodels.server;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import sparkmodels.errors.ModelException;
import sparkmodels.packages.ColumnSpec;
import sparkmodels.packages.Json;
import sparkmodels.packages.ModelPackage;
import sparkmodels.packages.Signature;
import sparkmodels.packages.Spec;
import sparkmodels.packages.Table;
import sparkmodels.packages.TensorSpec;

/** What a server says of its model: texts that are made once, when it starts. */
final class ModelCard {
    private static final int EXAMPLE_ROWS = 10;
    private static final Map<String, String> DATATYPES = Map.of(
            "boolean", "BOOL", "integer", "INT32", "long", "INT64", "float", "FP32", "double", "FP64");

    private final String name;
    private final String version;
    private final String server;
    private final String inference;
    private final String openApi;
    private final String page;
    private final String policy;

    ModelCard(ModelPackage model) {
        this.name = nameOf(model.root());
        String implementation = ModelCard.class.getPackage().getImplementationVersion();
        String stated = implementation == null ? "development" : implementation;
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("spark_models", stated);
        facts.put("java", Runtime.version().toString());
        facts.put("run_id", model.runId().orElse(null));
        facts.put("flavors", flavors(model));
        this.version = Json.write(facts);
        Map<String, Object> about = new LinkedHashMap<>();
        about.put("name", "spark-models");
        about.put("version", stated);
        about.put("extensions", List.of());
        this.server = Json.write(about);
        List<Spec> inputs = model.signature().map(Signature::inputs).orElse(List.of());
        List<Spec> outputs = model.signature().map(Signature::outputs).orElse(List.of());
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("name", name);
        metadata.put("versions", List.of("1"));
        metadata.put("platform", "spark-models");
        metadata.put("inputs", tensors(inputs));
        metadata.put("outputs", tensors(outputs));
        this.inference = Json.write(metadata);
        Optional<Object> example = example(model);
        this.openApi = Json.write(OpenApi.document(model, name, stated, example));
        Map<String, Object> card = new LinkedHashMap<>();
        card.put("name", name);
        card.put("flavors", flavors(model));
        card.put("run_id", model.runId().orElse(null));
        card.put("created", model.timeCreated().map(Object::toString).orElse(""));
        card.put("inputs", inputs.isEmpty() ? null : specs(inputs));
        card.put("outputs", outputs.isEmpty() ? null : specs(outputs));
        card.put("example", example.orElse(null));
        String template = template();
        // No text of a package may end the script that holds it.
        String safe = Json.write(card)
                .replace("&", "\\u0026")
                .replace("<", "\\u003c")
                .replace(">", "\\u003e");
        this.page = template.replace("\"CARD\"", safe);
        this.policy = policy(template);
    }

    /** The name of the model: the last part of its path. */
    String name() {
        return name;
    }

    /** The versions, as JSON. */
    String version() {
        return version;
    }

    /** What the inference protocol says of the server, as JSON. */
    String server() {
        return server;
    }

    /** What the inference protocol says of the model, as JSON. */
    String inference() {
        return inference;
    }

    /** The OpenAPI document. */
    String openApi() {
        return openApi;
    }

    /** The page to try the model in a browser. */
    String page() {
        return page;
    }

    /** What the page may do: run its own script, and ask its own server. */
    String securityPolicy() {
        return policy;
    }

    private static String nameOf(Path root) {
        Path last = root.toAbsolutePath().normalize().getFileName();
        StringBuilder name = new StringBuilder();
        (last == null ? "" : last.toString()).codePoints().forEach(character -> name.appendCodePoint(
                Character.isLetterOrDigit(character) || "-_.".indexOf(character) >= 0 ? character : '-'));
        return name.isEmpty() ? "model" : name.toString();
    }

    private static List<String> flavors(ModelPackage model) {
        return model.flavors().keySet().stream().sorted().toList();
    }

    /** The stored example as a body, of ten rows at most. */
    private static Optional<Object> example(ModelPackage model) {
        try {
            return model.inputExample().map(ModelCard::body);
        } catch (ModelException error) {
            // A model scores without its example.
            return Optional.empty();
        }
    }

    private static Object body(Table table) {
        Map<String, Object> body = new LinkedHashMap<>();
        if (!table.columns().isEmpty()) {
            body.put("columns", table.columns());
        }
        body.put("data", table.rows().subList(0, Math.min(EXAMPLE_ROWS, table.rows().size())));
        return body;
    }

    private static List<Object> tensors(List<Spec> specs) {
        List<Object> tensors = new ArrayList<>();
        for (int at = 0; at < specs.size(); at++) {
            Map<String, Object> tensor = new LinkedHashMap<>();
            tensor.put("name", specs.get(at).name().orElse(String.valueOf(at)));
            if (specs.get(at) instanceof TensorSpec spec) {
                tensor.put("datatype", datatype(spec.dtype()));
                tensor.put("shape", spec.shape());
            } else {
                tensor.put("datatype", DATATYPES.getOrDefault(((ColumnSpec) specs.get(at)).type(), "BYTES"));
                tensor.put("shape", List.of(-1));
            }
            tensors.add(tensor);
        }
        return tensors;
    }

    private static String datatype(String dtype) {
        if (dtype.equals("bool")) {
            return "BOOL";
        }
        boolean number = dtype.matches("(u?int(8|16|32|64))|(float(16|32|64))");
        return number ? dtype.replace("float", "fp").toUpperCase(java.util.Locale.ROOT) : "BYTES";
    }

    private static List<Object> specs(List<Spec> specs) {
        List<Object> found = new ArrayList<>();
        for (Spec spec : specs) {
            Map<String, Object> fields = new LinkedHashMap<>();
            spec.name().ifPresent(name -> fields.put("name", name));
            if (spec instanceof TensorSpec tensor) {
                Map<String, Object> form = new LinkedHashMap<>();
                form.put("dtype", tensor.dtype());
                form.put("shape", tensor.shape());
                fields.put("type", "tensor");
                fields.put("tensor-spec", form);
            } else if (spec instanceof ColumnSpec column) {
                fields.put("type", column.type());
                if (!column.required()) {
                    fields.put("required", false);
                }
            }
            found.add(fields);
        }
        return found;
    }

    private static String template() {
        try (InputStream stream = ModelCard.class.getResourceAsStream("page.html")) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static String policy(String template) {
        int start = template.indexOf("<script>") + "<script>".length();
        String script = template.substring(start, template.indexOf("</script>", start));
        return "default-src 'none'; script-src 'sha256-" + digest(script)
                + "'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none';"
                + " frame-ancestors 'none'";
    }

    private static String digest(String text) {
        try {
            byte[] sum = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return Base64.getEncoder().encodeToString(sum);
        } catch (NoSuchAlgorithmException error) {
            throw new AssertionError("every JVM has SHA-256", error);
        }
    }
}
