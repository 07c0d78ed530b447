defmodule Demo.MixProject do
  use Mix.Project

  # build.sh sets these and gives every variant a tree of its own, so that nothing stale is reused.
  @version System.get_env("DEMO_BUILD_VERSION", "0.0.0")

  def project do
    [
      app: :demo,
      version: @version,
      elixir: "~> 1.14",
      deps: [{:sqlite3, path: "deps/sqlite3", compile: "true"}],
      releases: [
        demo: [
          include_executables_for: [:unix],
          include_erts: System.get_env("DEMO_BUILD_ERTS", "true") == "true",
          steps: [:assemble, :tar]
        ]
      ]
    ]
  end

  def application do
    [mod: {Demo.Application, []}, extra_applications: [:logger, :crypto, :runtime_tools]]
  end
end
