package sparkmodels.server;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import sparkmodels.errors.InputException;
import sparkmodels.packages.Json;
import sparkmodels.packages.Table;
import sparkmodels.scoring.Body;
import sparkmodels.scoring.Field;
import sparkmodels.scoring.Scorer;

/**
 * A request of the Open Inference Protocol, version 2: each JSON tensor is a column of its name, and one that is none
 * may be a table's rows.
 *
 * @param body the rows
 * @param id what the answer repeats
 */
record Inference(Body body, Optional<String> id) {
    private static final Set<String> DATATYPES = Set.of(
            "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64",
            "BYTES");
    private static final int MOST_AXES = 32;

    /**
     * The request in a text.
     *
     * @throws InputException [JSON_BODY] it is none of the protocol; [INVALID_ARGUMENT] it has parameters
     */
    static Inference read(String text, Scorer scorer) {
        if (!(Json.parse(text) instanceof Map<?, ?> request)
                || !(request.get("inputs") instanceof List<?> inputs)
                || inputs.isEmpty()) {
            throw broken("a request of the inference protocol is an object with a list 'inputs'", "$");
        }
        if (request.get("id") != null && !(request.get("id") instanceof String)) {
            throw broken("'id' must be text, not " + Body.called(request.get("id")), "$.id");
        }
        Map<String, List<Object>> tensors = new LinkedHashMap<>();
        for (int at = 0; at < inputs.size(); at++) {
            named(inputs.get(at), "$.inputs[" + at + "]", tensors);
        }
        if (tensors.values().stream().map(List::size).distinct().count() > 1) {
            throw broken("the inputs have different lengths in their first axis", "$.inputs");
        }
        Body.requireNoParams(request.get("parameters"));
        Set<String> known = Set.copyOf(scorer.inputs().stream().map(Field::name).toList());
        boolean alone = tensors.size() == 1 && (scorer.positional() || !known.containsAll(tensors.keySet()));
        Object given = alone ? tensors.values().iterator().next() : tensors;
        return new Inference(Body.tensors(given, "$.inputs"), Optional.ofNullable((String) request.get("id")));
    }

    /** The answer: each output as a tensor. */
    String answer(Table scored, String model, boolean records) {
        List<Object> outputs = new ArrayList<>();
        for (int at = 0; at < scored.columns().size(); at++) {
            int column = at;
            outputs.add(output(
                    records ? scored.columns().get(at) : "predictions",
                    scored.rows().stream().map(row -> row.get(column)).toList()));
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("model_name", model);
        answer.put("model_version", "1");
        answer.put("outputs", outputs);
        id.ifPresent(text -> answer.put("id", text));
        return Json.write(answer);
    }

    private static Map<String, Object> output(String name, List<Object> values) {
        boolean vectors = !values.isEmpty() && values.stream().allMatch(double[].class::isInstance);
        boolean alike = vectors
                && values.stream().map(value -> ((double[]) value).length).distinct().count() == 1;
        List<Object> flat = new ArrayList<>();
        List<Object> shape = new ArrayList<>(List.of(values.size()));
        if (alike) {
            shape.add(((double[]) values.get(0)).length);
            values.forEach(value -> {
                for (double number : (double[]) value) {
                    flat.add(number);
                }
            });
        } else {
            flat.addAll(values);
        }
        Map<String, Object> tensor = new LinkedHashMap<>();
        tensor.put("name", name);
        tensor.put("datatype", alike ? "FP64" : datatype(values));
        tensor.put("shape", shape);
        tensor.put("data", flat);
        return tensor;
    }

    private static String datatype(List<Object> values) {
        Set<Class<?>> kinds = new java.util.HashSet<>();
        values.forEach(value -> kinds.add(value == null ? Void.class : value.getClass()));
        if (kinds.equals(Set.of(Boolean.class))) {
            return "BOOL";
        }
        if (kinds.equals(Set.of(Integer.class))) {
            return "INT32";
        }
        if (kinds.equals(Set.of(Long.class))) {
            return "INT64";
        }
        if (kinds.equals(Set.of(Float.class))) {
            return "FP32";
        }
        boolean numbers = kinds.contains(Double.class) && Set.of(Double.class, Void.class).containsAll(kinds);
        return numbers || values.isEmpty() ? "FP64" : "BYTES";
    }

    private static void named(Object tensor, String place, Map<String, List<Object>> tensors) {
        if (!(tensor instanceof Map<?, ?> fields)) {
            throw broken("an input must be an object, not " + Body.called(tensor), place);
        }
        if (!(fields.get("name") instanceof String name)) {
            throw broken("an input needs a 'name'", place);
        }
        if (!(fields.get("datatype") instanceof String datatype) || !DATATYPES.contains(datatype)) {
            throw broken("an input's 'datatype' is none of the protocol's", place + ".datatype");
        }
        List<Integer> shape = shape(fields.get("shape"), place + ".shape");
        if (!(fields.get("data") instanceof List<?> data)) {
            throw broken("an input's 'data' is a list, not " + Body.called(fields.get("data")), place + ".data");
        }
        List<Object> flat = new ArrayList<>();
        flatten(data, flat::add);
        long size = 1;
        for (int axis : shape) {
            // Never more than the values that there can be.
            size = Math.min(size * axis, Integer.MAX_VALUE);
        }
        if (flat.size() != size) {
            throw broken("an input's 'data' has %d values; its shape has others".formatted(flat.size()), place + ".data");
        }
        if (tensors.containsKey(name)) {
            throw broken("two inputs have the same name", "$.inputs");
        }
        // A column may come as a matrix of one column, as most clients of the protocol send it.
        boolean column = shape.size() == 1 || shape.size() == 2 && shape.get(1) == 1;
        tensors.put(name, column ? flat : nested(flat, shape));
    }

    private static List<Integer> shape(Object value, String place) {
        List<Integer> shape = new ArrayList<>();
        if (value instanceof List<?> axes && !axes.isEmpty() && axes.size() <= MOST_AXES) {
            for (Object axis : axes) {
                if (axis instanceof Integer length && length >= 0) {
                    shape.add(length);
                }
            }
            if (shape.size() == axes.size()) {
                if (shape.subList(1, shape.size()).contains(0)) {
                    // It would make as many empty lists as the first axis says, without a value in the body.
                    throw broken("only the first axis of an input's 'shape' may have no length", place);
                }
                return shape;
            }
        }
        throw broken("an input's 'shape' is a list of lengths", place);
    }

    private static void flatten(List<?> data, Consumer<Object> each) {
        for (Object item : data) {
            if (item instanceof List<?> list) {
                flatten(list, each);
            } else {
                each.accept(item);
            }
        }
    }

    private static List<Object> nested(List<Object> flat, List<Integer> shape) {
        List<Object> level = flat;
        for (int axis = shape.size() - 1; axis > 0; axis--) {
            int length = shape.get(axis);
            int count = 1;
            for (int size : shape.subList(0, axis)) {
                count *= size;
            }
            List<Object> parts = new ArrayList<>(count);
            for (int at = 0; at < count; at++) {
                parts.add(new ArrayList<>(level.subList(at * length, (at + 1) * length)));
            }
            level = parts;
        }
        return level;
    }

    private static InputException broken(String what, String place) {
        return new InputException("JSON_BODY", "The input can't be read: " + what, place);
    }
}
