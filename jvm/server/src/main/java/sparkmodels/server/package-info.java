/**
 * A model behind HTTP: {@link sparkmodels.server.ScoringServer} with {@link sparkmodels.server.ServerOptions}. Its routes,
 * errors and limits are those of the Python server.
 */
package sparkmodels.server;
