// The Java companion: packages are scored in a plain JVM, without Spark and without Python. Build it with `scripts/jvm`.
import sbtassembly.MergeStrategy

ThisBuild / organization := "spark-models"
ThisBuild / version := "0.1.0"
ThisBuild / licenses := Seq(License.Apache2)
ThisBuild / evictionErrorLevel := Level.Warn

val mleap = "ml.combust.mleap" % "mleap-runtime_2.12" % "0.20.0"
val jackson = "com.fasterxml.jackson.core" % "jackson-databind" % "2.18.2"
val yaml = "org.snakeyaml" % "snakeyaml-engine" % "2.9"
val jetty = "org.eclipse.jetty" % "jetty-server" % "12.0.16"
val picocli = "info.picocli" % "picocli" % "4.7.6"
val jmh = "org.openjdk.jmh" % "jmh-core" % "1.37"
val jmhProcessor = "org.openjdk.jmh" % "jmh-generator-annprocess" % "1.37" % Provided
val onnxruntime = "com.microsoft.onnxruntime" % "onnxruntime" % "1.20.0"
val logging = "org.slf4j" % "slf4j-simple" % "2.0.16"

lazy val javaModule = Seq(
  crossPaths := false,
  autoScalaLibrary := false,
  // classfile: Scala's classes carry annotations that javac can't read.
  Compile / compile / javacOptions ++= Seq("--release", "17", "-Xlint:all,-classfile", "-Werror", "-encoding", "UTF-8"),
  Test / compile / javacOptions ++= Seq("--release", "17", "-Xlint:all,-classfile", "-Werror", "-encoding", "UTF-8"),
  Compile / doc / javacOptions := Seq("-Xdoclint:all,-missing", "-Werror", "-quiet", "-encoding", "UTF-8"),
  libraryDependencies ++= Seq(
    "com.github.sbt.junit" % "jupiter-interface" % JupiterKeys.jupiterVersion.value % Test,
    "org.junit.jupiter" % "junit-jupiter-params" % "5.11.3" % Test
  ),
  Test / fork := true,
  // Paths in tests are relative to the repository.
  Test / baseDirectory := (ThisBuild / baseDirectory).value
)

lazy val root = (project in file("."))
  .aggregate(scoring, testkit, server, onnx)
  .settings(
    name := "spark-models",
    target := baseDirectory.value / "jvm" / "target",
    crossPaths := false,
    autoScalaLibrary := false,
    publish / skip := true,
    assembly / aggregate := false,
    assembly := (server / assembly).value
  )

lazy val scoring = (project in file("jvm/scoring"))
  .settings(javaModule)
  .settings(
    name := "spark-models-scoring",
    description := "Reads packages and scores their mleap flavor",
    libraryDependencies ++= Seq(mleap, jackson, yaml)
  )

lazy val testkit = (project in file("jvm/testkit"))
  .dependsOn(scoring % "compile->compile;test->test")
  .settings(javaModule)
  .settings(
    name := "spark-models-testkit",
    description := "Golden cases of a package, and the conflicts of a scorer with them"
  )

lazy val server = (project in file("jvm/server"))
  .dependsOn(scoring % "compile->compile;test->test", testkit)
  .settings(javaModule)
  .settings(
    name := "spark-models-server",
    description := "The REST server and the command line; its fat jar holds everything",
    libraryDependencies ++= Seq(jetty, picocli, logging % Runtime),
    Compile / mainClass := Some("sparkmodels.cli.Main"),
    // The page to try a model is the Python server's.
    Compile / resourceGenerators += Def.task {
      val page = (Compile / resourceManaged).value / "sparkmodels" / "server" / "page.html"
      IO.copyFile((ThisBuild / baseDirectory).value / "spark_models" / "serve" / "page.html", page)
      Seq(page)
    }.taskValue,
    Compile / packageBin / packageOptions += Package.ManifestAttributes("Implementation-Version" -> version.value),
    assembly / mainClass := Some("sparkmodels.cli.Main"),
    assembly / assemblyJarName := "spark-models.jar",
    assembly / test := {},
    assembly / packageOptions += Package.ManifestAttributes("Implementation-Version" -> version.value),
    assembly / assemblyMergeStrategy := {
      // MLeap's registry of ops is in reference.conf, in several jars: one of them alone would know too few.
      case "reference.conf"                       => MergeStrategy.concat
      case PathList("META-INF", "services", _ @_*) => MergeStrategy.filterDistinctLines
      case PathList(names @ _*) if names.last == "module-info.class" => MergeStrategy.discard
      case PathList("META-INF", names @ _*)
          if names.lastOption.exists(name => Seq(".SF", ".DSA", ".RSA", "MANIFEST.MF", "INDEX.LIST").exists(name.endsWith)) =>
        MergeStrategy.discard
      case _ => MergeStrategy.first
    }
  )

// Not in the fat jar: its native libraries are some hundred megabytes. On the class path, it is found by itself.
lazy val onnx = (project in file("jvm/onnx"))
  .dependsOn(scoring)
  .settings(javaModule)
  .settings(
    name := "spark-models-onnx",
    description := "Scores the onnx flavor",
    libraryDependencies += onnxruntime
  )

// Not part of `test` and `assembly`: make bench-jvm
lazy val benchmarks = (project in file("jvm/benchmarks"))
  .dependsOn(scoring % "compile->compile;compile->test")
  .settings(javaModule)
  .settings(
    name := "spark-models-benchmarks",
    publish / skip := true,
    libraryDependencies ++= Seq(jmh, jmhProcessor),
    // processing: JMH's processor claims its own annotations only.
    Compile / compile / javacOptions := Seq("--release", "17", "-Xlint:all,-classfile,-processing", "-Werror", "-encoding", "UTF-8"),
    Compile / mainClass := Some("sparkmodels.benchmarks.Report"),
    run / fork := true,
    run / baseDirectory := (ThisBuild / baseDirectory).value
  )
