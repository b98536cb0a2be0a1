/**
 * From a package to scores, in the order of the data:
 *
 * <ol>
 *   <li>{@link sparkmodels.scoring.Scorer#open} verifies a package and loads its model, by the
 *       {@link sparkmodels.scoring.ScorerProvider} of its flavor;
 *   <li>{@link sparkmodels.scoring.Scorer#inputs} says what a row must have: {@link sparkmodels.scoring.Field}s;
 *   <li>a map, an array, a table or a {@link sparkmodels.scoring.Body} of JSON or CSV is bound to them and checked by their
 *       types;
 *   <li>the model scores row by row, and a row that it refuses stands among the errors of
 *       {@link sparkmodels.scoring.Scored};
 *   <li>{@link sparkmodels.scoring.Answer} writes what came out as JSON.
 * </ol>
 */
package sparkmodels.scoring;
