package sparkmodels.packages;

/**
 * What is accepted at most, before anything is built from it.
 *
 * @param yamlBytes size of {@code MLmodel}
 * @param depth levels of YAML and JSON
 * @param nodes values of a YAML document after its aliases are expanded
 * @param jsonBytes size of an example or of a file of a bundle that is read whole
 * @param files files of a package, and entries of an archive
 * @param bytes bytes of an archive when it is unpacked
 * @param ratio unpacked to packed bytes, for entries of more than a megabyte
 */
public record Limits(int yamlBytes, int depth, int nodes, long jsonBytes, int files, long bytes, int ratio) {
    /** Those of the format: 10 MB of YAML, 100 levels, 200,000 nodes, 100,000 files; 100 MB of JSON, 4 GB, 200 to 1. */
    public static final Limits DEFAULT =
            new Limits(10_000_000, 100, 200_000, 100_000_000L, 100_000, 4_000_000_000L, 200);
}
