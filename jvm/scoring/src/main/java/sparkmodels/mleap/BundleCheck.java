package sparkmodels.mleap;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
    /** Attributes whose nulls mean what JSON has no number for: an infinite end or norm, or NaN as a missing value. */
    private static final Map<String, String> MEANT_NULLS =
            Map.of("bucketizer", "splits", "imputer", "missing_value", "normalizer", "p_norm");

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
        Path modelFile = node.resolve("model.json");
        Map<?, ?> model = model(node, depth);
        shape(node.resolve("node.json"));
        if ("pipeline".equals(model.get("op"))) {
            for (String name : nodes(model, modelFile)) {
                node(node.resolve(name + ".node"), depth + 1);
            }
        }
    }

    /** The model of a folder, and those inside it: the trees of a forest, the classifiers of a one-vs-rest. */
    private Map<?, ?> model(Path node, int depth) {
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
            attributes.forEach((name, value) -> requireValues(value, name.equals(MEANT_NULLS.get(op)), modelFile));
            requireEnds(op, attributes, modelFile);
            requireTrees(attributes, modelFile);
        }
        tree(node.resolve("tree.json"));
        List<Path> inner = inner(node);
        inner.forEach(folder -> model(folder, depth + 1));
        if (op.equals("one_vs_rest")
                && model.get("attributes") instanceof Map<?, ?> attributes
                && attributes.get("num_classes") instanceof Map<?, ?> classes
                && classes.get("long") instanceof Integer count
                && count != inner.size()) {
            throw invalid("There are %d classes and %d models".formatted(count, inner.size()), modelFile, null);
        }
        return model;
    }

    private List<Path> inner(Path node) {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(node, "{model,tree}*")) {
            for (Path folder : folders) {
                if (Files.isDirectory(folder) && !folder.toString().endsWith(".node")) {
                    found.add(folder);
                }
            }
        } catch (IOException error) {
            throw invalid("It can't be read", node, error);
        }
        return found;
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

    /** MLeap takes a null at an end of the splits for an infinite one, and elsewhere for NaN. */
    private void requireEnds(String op, Map<?, ?> attributes, Path file) {
        if (op.equals("bucketizer")
                && attributes.get("splits") instanceof Map<?, ?> splits
                && splits.get("double") instanceof List<?> numbers
                && numbers.size() > 2
                && numbers.subList(1, numbers.size() - 1).contains(null)) {
            throw invalid("A value is null", file, null);
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
    private void tree(Path file) {
        if (Files.isRegularFile(file)) {
            for (String line : Json.lines(file, limits)) {
                if (line.contains("null")) {
                    throw invalid("A value is null", file, null);
                }
            }
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
