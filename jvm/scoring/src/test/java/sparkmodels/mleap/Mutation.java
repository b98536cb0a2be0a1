package sparkmodels.mleap;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** JSON texts of which one value is another. */
final class Mutation {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    /** One value in its object or list. */
    private record Place(JsonNode parent, String name, int index) {}

    private Mutation() {}

    /** How many values a text has, within its objects and lists. */
    static int count(String text) throws IOException {
        return places(MAPPER.readTree(text)).size();
    }

    /** The text whose value with this number is another; REMOVED is none, EXTRA an unknown field beside it. */
    static String of(String text, int number, String other) throws IOException {
        JsonNode root = MAPPER.readTree(text);
        Place place = places(root).get(number);
        if (place.parent() instanceof ObjectNode object) {
            if (other.equals("REMOVED")) {
                object.remove(place.name());
            } else if (other.equals("EXTRA")) {
                object.put("unknown", 1);
            } else {
                object.set(place.name(), MAPPER.readTree(other));
            }
        } else if (place.parent() instanceof ArrayNode array) {
            // A shorter list may be as good as a longer one, and nothing tells which was meant.
            if (!other.equals("REMOVED") && !other.equals("EXTRA")) {
                array.set(place.index(), MAPPER.readTree(other));
            }
        }
        return MAPPER.writeValueAsString(root);
    }

    private static List<Place> places(JsonNode node) {
        List<Place> places = new ArrayList<>();
        if (node instanceof ObjectNode object) {
            object.fieldNames().forEachRemaining(name -> {
                places.add(new Place(node, name, -1));
                places.addAll(places(object.get(name)));
            });
        } else if (node instanceof ArrayNode array) {
            for (int at = 0; at < array.size(); at++) {
                places.add(new Place(node, "", at));
                places.addAll(places(array.get(at)));
            }
        }
        return places;
    }
}
