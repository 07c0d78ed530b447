import Config

# Knobs that are built into a release: a bad release is bad wherever it runs (see Demo.Knobs).
config :demo,
  misbehave: String.split(System.get_env("DEMO_BUILD_MISBEHAVE", ""), ",", trim: true),
  migrations: String.to_integer(System.get_env("DEMO_BUILD_MIGRATIONS", "2"))

config :logger, level: :info
config :logger, :console, format: "$time [$level] $message\n"
