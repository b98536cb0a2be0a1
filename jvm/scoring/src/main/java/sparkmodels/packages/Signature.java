package sparkmodels.packages;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import sparkmodels.errors.ModelException;

/**
 * What a model takes and gives. Each list holds columns only or tensors only, and its names are unique.
 *
 * @param inputs in the model's order
 * @param outputs empty where nothing is said of them
 */
public record Signature(List<Spec> inputs, List<Spec> outputs) {
    private static final Set<String> TYPES = Set.of(
            "boolean",
            "integer",
            "long",
            "float",
            "double",
            "string",
            "binary",
            "datetime",
            "array",
            "object",
            "map",
            "any");

    /** Copies the lists. */
    public Signature {
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
    }

    /** The columns of the inputs; none where they are tensors. */
    public List<ColumnSpec> inputColumns() {
        return inputs.stream()
                .filter(ColumnSpec.class::isInstance)
                .map(ColumnSpec.class::cast)
                .toList();
    }

    /** The names of the outputs that have one. */
    public List<String> outputNames() {
        return outputs.stream().flatMap(spec -> spec.name().stream()).toList();
    }

    static Signature of(Map<?, ?> entry, String place) {
        return new Signature(
                specs(entry.get("inputs"), place + ".inputs"), specs(entry.get("outputs"), place + ".outputs"));
    }

    private static List<Spec> specs(Object value, String place) {
        if (value == null) {
            return List.of();
        }
        Object parsed = value instanceof String text ? Json.parseOf(text, place) : value;
        if (parsed == null) {
            return List.of();
        }
        if (!(parsed instanceof List<?> items)) {
            throw invalid("It is not a list", place);
        }
        List<Spec> specs = new ArrayList<>();
        for (int at = 0; at < items.size(); at++) {
            specs.add(spec(items.get(at), place + "[" + at + "]"));
        }
        check(specs, place);
        return specs;
    }

    private static void check(List<Spec> specs, String place) {
        if (specs.stream().map(Object::getClass).distinct().count() > 1) {
            throw invalid("It mixes columns and tensors", place);
        }
        List<String> names =
                specs.stream().flatMap(spec -> spec.name().stream()).toList();
        if (names.size() != specs.size() && !names.isEmpty()) {
            throw invalid("Some names are given and others not", place);
        }
        if (Set.copyOf(names).size() != names.size()) {
            throw invalid("A name is repeated", place);
        }
    }

    private static Spec spec(Object item, String place) {
        if (!(item instanceof Map<?, ?> fields)) {
            throw invalid("It is not an object", place);
        }
        Object given = fields.get("name");
        if (given != null && !(given instanceof String)) {
            throw invalid("The name is not text", place);
        }
        Optional<String> name = Optional.ofNullable((String) given);
        if (fields.get("tensor-spec") instanceof Map<?, ?> tensor) {
            return tensor(name, tensor, place);
        }
        if (fields.containsKey("dtype")) {
            return tensor(name, fields, place);
        }
        if (!(fields.get("type") instanceof String type) || !TYPES.contains(type)) {
            throw invalid("The type is none of a column's", place);
        }
        return new ColumnSpec(
                name,
                type,
                !Boolean.FALSE.equals(fields.get("required")) && !Boolean.TRUE.equals(fields.get("optional")));
    }

    private static TensorSpec tensor(Optional<String> name, Map<?, ?> fields, String place) {
        if (!(fields.get("dtype") instanceof String dtype) || !(fields.get("shape") instanceof List<?> sizes)) {
            throw invalid("A tensor needs dtype and shape", place);
        }
        List<Long> shape = new ArrayList<>();
        for (Object size : sizes) {
            if (!(size instanceof Integer number) || number < -1) {
                throw invalid("The shape holds what is no size", place);
            }
            shape.add(number.longValue());
        }
        return new TensorSpec(name, dtype, List.copyOf(shape));
    }

    private static ModelException invalid(String what, String place) {
        return new ModelException("INVALID_SCHEMA", what, place);
    }
}
