package sparkmodels.mleap;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import ml.combust.bundle.BundleRegistry;
import sparkmodels.errors.Codes;
import sparkmodels.errors.ModelException;
import sparkmodels.packages.Json;
import sparkmodels.packages.Limits;

/** Looks a bundle through before MLeap loads it, so that an error names the file and what is wrong in it. */
final class BundleCheck {
    /** Ops of which a null in the JSON means what JSON has no number for: an infinite end, or NaN as a missing value. */
    private static final Set<String> MEANT_NULLS = Set.of("bucketizer", "imputer", "normalizer");

    private final Path folder;
    private final Path place;
    private final BundleRegistry registry;
    private final Limits limits;

    private BundleCheck(Path folder, Path place, BundleRegistry registry, Limits limits) {
        this.folder = folder;
        this.place = place;
        this.registry = registry;
        this.limits = limits;
    }

    /**
     * Raises unless the bundle is JSON, every node that it names is there, and MLeap has an op for each.
     *
     * @throws ModelException [INVALID_BUNDLE], [UNKNOWN_OP], with the path of the file
     */
    static void check(Path folder, Path place, BundleRegistry registry, Limits limits) {
        BundleCheck check = new BundleCheck(folder, place, registry, limits);
        check.files();
        Map<?, ?> info = check.object(folder.resolve("bundle.json"));
        if (!"json".equals(info.get("format"))) {
            throw check.invalid("The format is not json", folder.resolve("bundle.json"), null);
        }
        check.node(folder.resolve("root"), 0);
    }

    private void files() {
        try (Stream<Path> files = Files.walk(folder)) {
            int count = 0;
            for (Path file : (Iterable<Path>) files::iterator) {
                if (++count > limits.files()) {
                    throw invalid("It has more than " + limits.files() + " files", folder, null);
                }
                if (Files.isSymbolicLink(file)) {
                    throw invalid("A link has no place in a bundle", file, null);
                }
            }
        } catch (IOException error) {
            throw invalid("It can't be read", folder, error);
        }
    }

    private void node(Path node, int depth) {
        if (depth > limits.depth()) {
            throw invalid("It has more than " + limits.depth() + " levels", node, null);
        }
        Path modelFile = node.resolve("model.json");
        Map<?, ?> model = object(modelFile);
        if (!(model.get("op") instanceof String op)) {
            throw invalid("It names no op", modelFile, null);
        }
        if (!registry.ops().contains(op)) {
            throw new ModelException(
                    Codes.UNKNOWN_OP,
                    "MLeap has no op '" + op + "'",
                    shown(modelFile),
                    "leave that stage out, or score with Spark");
        }
        if (model.get("attributes") instanceof Map<?, ?> attributes) {
            attributes.values().forEach(value -> requireValues(value, MEANT_NULLS.contains(op), modelFile));
            requireTrees(attributes, modelFile);
        }
        trees(node);
        shape(node.resolve("node.json"));
        if (op.equals("pipeline")) {
            for (String name : nodes(model, modelFile)) {
                node(node.resolve(name + ".node"), depth + 1);
            }
        }
    }

    /** MLeap takes a null for a number that is none and what is empty for 0, and scores with it. */
    private void requireValues(Object value, boolean nulls, Path file) {
        if (value == null && !nulls) {
            throw invalid("A value is null", file, null);
        }
        if (value instanceof Map<?, ?> map) {
            if (map.isEmpty() || map.keySet().equals(Set.of("type"))) {
                throw invalid("A value is empty", file, null);
            }
            map.values().forEach(item -> requireValues(item, nulls, file));
        } else if (value instanceof List<?> list) {
            list.forEach(item -> requireValues(item, nulls, file));
        }
    }

    private void requireTrees(Map<?, ?> attributes, Path file) {
        if (attributes.get("trees") instanceof Map<?, ?> trees
                && trees.get("string") instanceof List<?> names
                && attributes.get("tree_weights") instanceof Map<?, ?> weights
                && weights.get("double") instanceof List<?> numbers
                && names.size() != numbers.size()) {
            throw invalid("There are %d trees and %d weights".formatted(names.size(), numbers.size()), file, null);
        }
    }

    /** The nodes of a tree, one in a line. */
    private void trees(Path node) {
        Path file = node.resolve("tree.json");
        if (Files.isRegularFile(file)) {
            for (String line : Json.lines(file, limits)) {
                if (line.contains("null")) {
                    throw invalid("A value is null", file, null);
                }
            }
        }
        try (DirectoryStream<Path> ensemble = Files.newDirectoryStream(node, "tree*")) {
            for (Path folder : ensemble) {
                if (Files.isDirectory(folder)) {
                    trees(folder);
                }
            }
        } catch (IOException error) {
            throw invalid("It can't be read", node, error);
        }
    }

    private void shape(Path file) {
        if (!(object(file).get("shape") instanceof Map<?, ?> shape)
                || !(shape.get("inputs") instanceof List<?>)
                || !(shape.get("outputs") instanceof List<?>)) {
            throw invalid("It has no shape of inputs and outputs", file, null);
        }
    }

    private List<String> nodes(Map<?, ?> model, Path file) {
        if (model.get("attributes") instanceof Map<?, ?> attributes
                && attributes.get("nodes") instanceof Map<?, ?> nodes
                && nodes.get("string") instanceof List<?> names) {
            for (Object name : names) {
                if (!(name instanceof String text)
                        || text.isEmpty()
                        || text.startsWith(".")
                        || text.contains("/")
                        || text.contains("\\")) {
                    throw invalid("The name of a node is none of a folder", file, null);
                }
            }
            return names.stream().map(Object::toString).toList();
        }
        throw invalid("The pipeline lists no nodes", file, null);
    }

    private Map<?, ?> object(Path file) {
        try {
            if (Json.read(file, limits) instanceof Map<?, ?> map) {
                return map;
            }
        } catch (ModelException error) {
            String what = error.getMessage()
                    .lines()
                    .findFirst()
                    .orElse("")
                    .replaceFirst("^\\[[A-Z_]+] ", "")
                    .replaceFirst("\\.$", "");
            throw invalid(what, file, error.getCause());
        }
        throw invalid("It is not an object", file, null);
    }

    private ModelException invalid(String what, Path file, Throwable cause) {
        return new ModelException(Codes.INVALID_BUNDLE, what, shown(file), "", cause);
    }

    /** The file under the path that the user knows, which may be an archive. */
    private String shown(Path file) {
        return file.equals(folder)
                ? place.toString()
                : place.resolve(folder.relativize(file).toString()).toString();
    }
}
