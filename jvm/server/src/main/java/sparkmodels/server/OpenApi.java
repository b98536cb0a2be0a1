package sparkmodels.server;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import sparkmodels.packages.ColumnSpec;
import sparkmodels.packages.ModelPackage;
import sparkmodels.packages.Signature;
import sparkmodels.packages.Spec;
import sparkmodels.packages.TensorSpec;

/** The OpenAPI 3.1 document of a server, made from the model's signature; the Python server's, less Arrow and Parquet. */
final class OpenApi {
    private static final String JSON = "application/json";
    private static final Map<String, String> ERRORS = map(
            "400", "The request's fault; the message says where.",
            "401", "The bearer token is missing or wrong.",
            "406", "No answer in a form that is accepted.",
            "413", "The body is too large.",
            "415", "The content type is missing or not read.",
            "421", "The Host is not one of this server's.",
            "429", "Too many requests wait; try again.",
            "500", "The model failed.",
            "503", "Not ready; try again.",
            "504", "No answer in time.");

    private OpenApi() {}

    /** The document as JSON values. */
    static Map<String, Object> document(ModelPackage model, String name, String version, Optional<Object> example) {
        Map<String, Object> errors = new LinkedHashMap<>();
        ERRORS.forEach((status, said) -> errors.put(
                status,
                map(
                        "description",
                        said,
                        "content",
                        map(JSON, map("schema", map("$ref", "#/components/schemas/Error"))))));
        Map<String, Object> unwell = new LinkedHashMap<>();
        List.of("401", "421", "503").forEach(status -> unwell.put(status, errors.get(status)));
        Map<String, Object> paths = new LinkedHashMap<>();
        paths.put("/invocations", map("post", invoke(model, errors, example)));
        Object plain = map(
                "description",
                "How the server is.",
                "content",
                map("text/plain", map("schema", map("type", "string"))));
        Object facts = map("description", "Facts.", "content", map(JSON, map("schema", map("type", "object"))));
        for (String route : List.of("ping", "health", "metrics", "version")) {
            Map<String, Object> responses = map("200", route.equals("version") ? facts : plain);
            responses.putAll(unwell);
            paths.put("/" + route, map("get", map("operationId", route, "responses", responses)));
        }
        Object error = map(
                "type",
                "object",
                "required",
                List.of("error_code", "message"),
                "properties",
                map("error_code", map("type", "string"), "message", map("type", "string")));
        String description = "A model of spark-models with the flavors "
                + String.join(", ", model.flavors().keySet().stream().sorted().toList()) + ".";
        return map(
                "openapi",
                "3.1.0",
                "info",
                map("title", name, "version", version, "description", description),
                "paths",
                paths,
                "components",
                map("schemas", map("Error", error)));
    }

    private static Map<String, Object> invoke(
            ModelPackage model, Map<String, Object> errors, Optional<Object> example) {
        Optional<Signature> signature = model.signature();
        Map<String, Object> body = map("schema", body(signature.map(Signature::inputs).orElse(List.of())));
        example.ifPresent(value -> body.put("example", value));
        Map<String, Object> responses = map(
                "200",
                map(
                        "description",
                        "The predictions.",
                        "content",
                        map(JSON, map("schema", answer(signature.map(Signature::outputs).orElse(List.of()))))));
        responses.putAll(errors);
        return map(
                "operationId",
                "invoke",
                "summary",
                "The model's predictions for the rows of the body.",
                "requestBody",
                map(
                        "required",
                        true,
                        "content",
                        map(JSON, body, "text/csv", map("schema", map("type", "string")))),
                "responses",
                responses);
    }

    private static Map<String, Object> body(List<Spec> inputs) {
        if (inputs.isEmpty()) {
            return map("type", List.of("object", "array"));
        }
        boolean named = inputs.get(0).name().isPresent();
        if (inputs.get(0) instanceof TensorSpec) {
            Map<String, Object> tensors = new LinkedHashMap<>();
            inputs.forEach(spec -> tensors.put(spec.name().orElse(""), tensor((TensorSpec) spec)));
            Object all = named
                    ? map("type", "object", "properties", tensors, "required", List.copyOf(tensors.keySet()))
                    : tensors.values().iterator().next();
            return map("type", "object", "required", List.of("inputs"), "properties", map("inputs", all));
        }
        List<ColumnSpec> columns = inputs.stream().map(ColumnSpec.class::cast).toList();
        List<Object> cells = new ArrayList<>();
        columns.forEach(column -> cells.add(cell(column)));
        List<String> names =
                columns.stream().flatMap(column -> column.name().stream()).toList();
        Object row = map("type", "array", "prefixItems", cells, "items", false, "minItems", cells.size());
        Object data = map("type", "array", "items", row);
        Map<String, Object> split = map(
                "type",
                "object",
                "properties",
                map("columns", named ? map("const", names) : map("type", "array"), "data", data),
                "required",
                named ? List.of("columns", "data") : List.of("data"),
                "additionalProperties",
                false);
        if (!named) {
            return split;
        }
        Map<String, Object> properties = new LinkedHashMap<>();
        columns.forEach(column -> properties.put(column.name().orElseThrow(), cell(column)));
        List<String> required = columns.stream()
                .filter(ColumnSpec::required)
                .flatMap(column -> column.name().stream())
                .toList();
        Object record = map("type", "object", "properties", properties, "required", required);
        return map("anyOf", List.of(split, map("type", "array", "items", record, "minItems", 1)));
    }

    private static Map<String, Object> answer(List<Spec> outputs) {
        if (outputs.isEmpty()) {
            return map();
        }
        boolean columns = outputs.get(0) instanceof ColumnSpec && outputs.get(0).name().isPresent();
        return columns ? map("type", "array") : map("type", List.of("array", "object"));
    }

    private static Map<String, Object> tensor(TensorSpec spec) {
        String dtype = spec.dtype();
        Map<String, Object> value = map(
                "type",
                dtype.startsWith("bool")
                        ? "boolean"
                        : dtype.startsWith("int") || dtype.startsWith("uint")
                                ? "integer"
                                : dtype.startsWith("float") ? "number" : "string");
        for (int axis = spec.shape().size() - 1; axis >= 0; axis--) {
            value = map("type", "array", "items", value);
            if (spec.shape().get(axis) >= 0) {
                value.put("minItems", spec.shape().get(axis));
                value.put("maxItems", spec.shape().get(axis));
            }
        }
        return value;
    }

    private static Map<String, Object> cell(ColumnSpec column) {
        Map<String, Object> value =
                switch (column.type()) {
                    case "boolean" -> map("type", "boolean");
                    case "integer" -> map(
                            "type", "integer", "format", "int32", "minimum", Integer.MIN_VALUE, "maximum",
                            Integer.MAX_VALUE);
                    case "long" -> map(
                            "type", "integer", "format", "int64", "minimum", Long.MIN_VALUE, "maximum",
                            Long.MAX_VALUE);
                    case "float" -> map("type", "number", "format", "float");
                    case "double" -> map("type", "number", "format", "double");
                    case "binary" -> map("type", "string", "contentEncoding", "base64");
                    case "datetime" -> map("type", "string", "format", "date-time");
                    case "array" -> map("type", "array");
                    case "object", "map" -> map("type", "object");
                    case "string" -> map("type", "string");
                    default -> map();
                };
        boolean noNulls = column.required() && Set.of("boolean", "integer", "long").contains(column.type());
        if (!noNulls && value.containsKey("type")) {
            value.put("type", List.of(value.get("type"), "null"));
        }
        return value;
    }

    /** A map of these keys and values, in their order. */
    @SuppressWarnings("unchecked")
    private static <T> Map<String, T> map(Object... entries) {
        Map<String, T> result = new LinkedHashMap<>();
        for (int at = 0; at < entries.length; at += 2) {
            result.put((String) entries[at], (T) entries[at + 1]);
        }
        return result;
    }
}
