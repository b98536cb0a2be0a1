package sparkmodels.scoring;

import sparkmodels.packages.ModelPackage;

/** A flavor that can be scored, found as a service: another jar on the class path adds one. */
public interface ScorerProvider {
    /** The name of the flavor in {@code MLmodel}. */
    String flavor();

    /**
     * The scorer of a package that has this flavor.
     *
     * @throws sparkmodels.errors.ModelException it can't be loaded
     */
    Scorer load(ModelPackage model);
}
