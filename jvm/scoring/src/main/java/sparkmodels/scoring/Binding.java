package sparkmodels.scoring;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import sparkmodels.errors.InputException;
import sparkmodels.errors.Names;

/** Which given column is which input, and which output is asked for. */
public final class Binding {
    private Binding() {}

    /**
     * The position of each input among the given columns; -1 for one that is absent and may be. Columns match by exact
     * name, and extra ones are ignored; without names they match by position.
     */
    static int[] positions(List<String> given, List<Field> inputs, String place) {
        if (given.isEmpty()) {
            return inOrder(inputs.size());
        }
        List<InputException> problems = new ArrayList<>();
        int[] positions = byName(given, inputs, place, problems);
        if (!problems.isEmpty()) {
            throw problems.get(0);
        }
        return positions;
    }

    /**
     * As {@link #positions} of the columns of a body, whose columns that are absent have -1 and are told by an error in
     * {@code problems}.
     *
     * @param positional whether columns have no names that tell
     * @throws InputException [COLUMN_COUNT] columns that are bound by position are not as many as the inputs
     */
    static int[] ofBody(
            List<String> given, List<Field> inputs, boolean positional, String place, List<InputException> problems) {
        if (!positional) {
            return byName(given, inputs, place, problems);
        }
        if (given.size() != inputs.size()) {
            throw new InputException(
                    "COLUMN_COUNT",
                    "Model takes exactly %d inputs by position; got %d".formatted(inputs.size(), given.size()),
                    place);
        }
        return inOrder(inputs.size());
    }

    private static int[] inOrder(int count) {
        int[] positions = new int[count];
        Arrays.setAll(positions, at -> at);
        return positions;
    }

    private static int[] byName(
            List<String> given, List<Field> inputs, String place, List<InputException> problems) {
        Map<String, Integer> places = new HashMap<>();
        for (int at = 0; at < given.size(); at++) {
            if (places.putIfAbsent(given.get(at), at) != null
                    && inputs.stream().map(Field::name).anyMatch(given.get(at)::equals)) {
                throw new InputException(
                        "DUPLICATE_COLUMNS",
                        "The column '" + given.get(at) + "' is given twice",
                        place,
                        "drop one of them");
            }
        }
        List<String> missing = new ArrayList<>();
        int[] positions = new int[inputs.size()];
        for (int at = 0; at < positions.length; at++) {
            Field field = inputs.get(at);
            positions[at] = places.getOrDefault(field.name(), -1);
            if (positions[at] < 0 && !field.optional()) {
                missing.add(field.name());
            }
        }
        if (!missing.isEmpty()) {
            String hint = missing.stream()
                    .flatMap(name ->
                            Names.alike(name, given)
                                    .map(alike -> "rename '%s' to '%s'".formatted(alike, name))
                                    .stream())
                    .collect(Collectors.joining(", "));
            problems.add(new InputException(
                    "MISSING_COLUMNS",
                    "Model is missing inputs " + Names.listed(missing),
                    place + ", which has " + Names.listed(given),
                    hint));
        }
        return positions;
    }

    /**
     * Refuses a row of another length than the inputs.
     *
     * @throws InputException [COLUMN_COUNT] it has more or fewer values
     */
    public static void requireLength(Object[] row, int length, String place) {
        if (row.length != length) {
            throw new InputException(
                    "COLUMN_COUNT",
                    "A row has %d values where %d are needed".formatted(row.length, length),
                    "a row for " + place);
        }
    }

    /**
     * The column of that name among those that the model can give.
     *
     * @throws InputException [MISSING_COLUMNS] there is none
     */
    public static Field output(List<Field> available, String name, String place) {
        return available.stream()
                .filter(field -> field.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new InputException(
                        "MISSING_COLUMNS",
                        "The model gives no column '" + name + "'",
                        place,
                        "choose from "
                                + Names.listed(
                                        available.stream().map(Field::name).toList())));
    }

    static Object[] pick(List<Object> row, int[] positions) {
        Object[] values = new Object[positions.length];
        for (int at = 0; at < values.length; at++) {
            if (positions[at] >= row.size()) {
                throw new InputException(
                        "COLUMN_COUNT",
                        "A row has %d values where %d are needed".formatted(row.size(), positions.length),
                        "the table");
            }
            values[at] = positions[at] < 0 ? null : row.get(positions[at]);
        }
        return values;
    }
}
