package sparkmodels.packages;

import java.util.List;
import java.util.Optional;

/**
 * A tensor of a signature.
 *
 * @param name empty where it is the only one
 * @param dtype numpy's name of the type
 * @param shape sizes of the axes; -1 for any
 */
public record TensorSpec(Optional<String> name, String dtype, List<Long> shape) implements Spec {}
