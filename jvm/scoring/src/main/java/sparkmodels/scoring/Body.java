package sparkmodels.scoring;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import sparkmodels.errors.InputException;
import sparkmodels.packages.Json;
import sparkmodels.packages.Table;

/**
 * The rows of a body, and how its answer is given.
 *
 * @param table its rows; no columns where they have no names
 * @param wrapped whether the answer stands under {@code "predictions"}, as for MLflow 2's forms
 */
public record Body(Table table, boolean wrapped) {
    /**
     * A JSON body in any of its forms: {@code {"columns", "data"}}, a list of records, {@code {"instances"}},
     * {@code {"inputs"}}, {@code {"dataframe_split"}} or {@code {"dataframe_records"}}.
     *
     * @throws InputException [JSON_BODY] it has none of them
     */
    public static Body json(String text) {
        Object body = Json.parse(text);
        if (body instanceof List<?> records) {
            return new Body(records(records, "$"), false);
        }
        if (body instanceof Map<?, ?> map) {
            if (map.containsKey("dataframe_split")) {
                return new Body(split(map.get("dataframe_split"), "$.dataframe_split"), true);
            }
            if (map.get("dataframe_records") instanceof List<?> records) {
                return new Body(records(records, "$.dataframe_records"), true);
            }
            if (map.get("instances") instanceof List<?> instances) {
                return new Body(rows(instances, "$.instances"), false);
            }
            if (map.containsKey("inputs")) {
                return new Body(inputs(map.get("inputs")), false);
            }
            if (map.containsKey("data")) {
                return new Body(split(map, "$"), false);
            }
        }
        throw broken(
                "It has none of the forms of a body",
                "$",
                "give {\"columns\": […], \"data\": [[…]]} or a list of records");
    }

    /**
     * A JSON body in split orientation only.
     *
     * @throws InputException [JSON_BODY] it has another form
     */
    public static Body split(String text) {
        return new Body(split(Json.parse(text), "$"), false);
    }

    /**
     * A CSV body; its first line names the columns. Values stay text, and the inputs' types tell how to read them.
     *
     * @throws InputException [INVALID_INPUT] its lines differ in length or a quote is open
     */
    public static Body csv(String text, List<Field> inputs) {
        return new Body(Csv.table(text, inputs), false);
    }

    private static Table split(Object body, String place) {
        if (!(body instanceof Map<?, ?> map) || !(map.get("data") instanceof List<?> data)) {
            throw broken("It is not of the form {\"columns\", \"data\"}", place, "");
        }
        List<String> columns = new ArrayList<>();
        if (map.get("columns") instanceof List<?> labels) {
            labels.forEach(label -> columns.add(String.valueOf(label)));
        } else if (map.get("columns") != null) {
            throw broken("It is not a list", place + ".columns", "");
        }
        List<List<Object>> rows = new ArrayList<>(data.size());
        for (Object item : data) {
            if (!(item instanceof List<?> values) || !columns.isEmpty() && values.size() != columns.size()) {
                throw broken(
                        "It is not a list of as many values as there are columns",
                        "%s.data[%d]".formatted(place, rows.size()),
                        "");
            }
            rows.add(new ArrayList<>(values));
        }
        return new Table(columns, rows);
    }

    private static Table records(List<?> records, String place) {
        Set<String> names = new LinkedHashSet<>();
        for (int at = 0; at < records.size(); at++) {
            if (!(records.get(at) instanceof Map<?, ?> record)) {
                throw broken("It is not an object", "%s[%d]".formatted(place, at), "");
            }
            record.keySet().forEach(key -> names.add(String.valueOf(key)));
        }
        List<List<Object>> rows = new ArrayList<>(records.size());
        for (Object record : records) {
            List<Object> row = new ArrayList<>(names.size());
            names.forEach(name -> row.add(((Map<?, ?>) record).get(name)));
            rows.add(row);
        }
        return new Table(List.copyOf(names), rows);
    }

    private static Table rows(List<?> instances, String place) {
        if (!instances.isEmpty() && instances.get(0) instanceof Map) {
            return records(instances, place);
        }
        List<List<Object>> rows = new ArrayList<>(instances.size());
        for (Object item : instances) {
            rows.add(
                    item instanceof List<?> values
                            ? new ArrayList<>(values)
                            : new ArrayList<>(java.util.Collections.singletonList(item)));
        }
        return new Table(List.of(), rows);
    }

    private static Table inputs(Object inputs) {
        if (inputs instanceof List<?> instances) {
            return rows(instances, "$.inputs");
        }
        if (!(inputs instanceof Map<?, ?> map)) {
            throw broken("It is neither a list nor an object of lists", "$.inputs", "");
        }
        int count = -1;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            if (!(entry.getValue() instanceof List<?> values) || count >= 0 && values.size() != count) {
                throw broken("It is not a list as long as the others", "$.inputs." + entry.getKey(), "");
            }
            count = values.size();
        }
        List<List<Object>> rows = new ArrayList<>();
        for (int at = 0; at < count; at++) {
            List<Object> row = new ArrayList<>(map.size());
            for (Object values : map.values()) {
                row.add(((List<?>) values).get(at));
            }
            rows.add(row);
        }
        return new Table(map.keySet().stream().map(String::valueOf).toList(), rows);
    }

    private static InputException broken(String what, String place, String hint) {
        return new InputException("JSON_BODY", what, place, hint);
    }
}
