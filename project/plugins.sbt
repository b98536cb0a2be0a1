addSbtPlugin("com.github.sbt.junit" % "sbt-jupiter-interface" % "0.13.3")
addSbtPlugin("com.eed3si9n" % "sbt-assembly" % "2.2.0")
