package sparkmodels.packages;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import sparkmodels.errors.ModelException;

/** YAML as plain values, built only after its size and depth are known; no tag makes an object of another class. */
final class Yaml {
    private final String place;
    private final Limits limits;
    private int nodes;

    private Yaml(String place, Limits limits) {
        this.place = place;
        this.limits = limits;
    }

    /**
     * The one document of a text.
     *
     * @throws ModelException [INVALID_MLMODEL] it is no YAML mapping, or exceeds a limit
     */
    static Map<String, Object> mapping(String text, String place, Limits limits) {
        Yaml reader = new Yaml(place, limits);
        LoadSettings settings = LoadSettings.builder()
                .setLabel(place)
                .setCodePointLimit(limits.yamlBytes())
                .setAllowDuplicateKeys(false)
                .setAllowRecursiveKeys(false)
                .setMaxAliasesForCollections(1000)
                .build();
        try {
            reader.checkDepth(new Parse(settings).parseString(text));
            if (reader.copy(new Load(settings).loadFromString(text), 0) instanceof Map<?, ?> map) {
                Map<String, Object> named = new LinkedHashMap<>();
                map.forEach((key, value) -> named.put(String.valueOf(key), value));
                return named;
            }
        } catch (YamlEngineException error) {
            throw new ModelException("INVALID_MLMODEL", "It is not YAML that is read here", place, "", error);
        }
        throw reader.refuse("It is not a mapping");
    }

    private void checkDepth(Iterable<Event> events) {
        int depth = 0;
        for (Event event : events) {
            switch (event.getEventId()) {
                case MappingStart, SequenceStart -> depth++;
                case MappingEnd, SequenceEnd -> depth--;
                default -> {}
            }
            if (depth > limits.depth()) {
                throw refuse("It has more than " + limits.depth() + " levels");
            }
        }
    }

    /** A copy that shares nothing, so that an alias counts as often as it stands; a value within itself is too deep. */
    private Object copy(Object value, int depth) {
        if (++nodes > limits.nodes() || depth > limits.depth()) {
            throw refuse(
                    "Its aliases expand to more than %d nodes or %d levels".formatted(limits.nodes(), limits.depth()));
        }
        if (value instanceof Map<?, ?> map) {
            Map<String, Object> result = new LinkedHashMap<>();
            map.forEach((key, item) -> result.put(String.valueOf(key), copy(item, depth + 1)));
            return result;
        }
        if (value instanceof List<?> list) {
            List<Object> result = new ArrayList<>(list.size());
            list.forEach(item -> result.add(copy(item, depth + 1)));
            return result;
        }
        return value;
    }

    private ModelException refuse(String what) {
        return new ModelException("INVALID_MLMODEL", what, place);
    }
}
