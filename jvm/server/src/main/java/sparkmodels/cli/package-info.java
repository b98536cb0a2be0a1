/** The command line: {@code java -jar spark-models.jar predict | serve | verify | inspect}. */
package sparkmodels.cli;
