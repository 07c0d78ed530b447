defmodule Demo.Application do
  @moduledoc "Starts the server; on stop, lets requests in flight finish first."
  use Application

  alias Demo.{Drain, Knobs, Readiness, Server, Trouble}

  @impl true
  def start(_type, _args) do
    if Knobs.on?(:crash_at_boot) do
      raise "demo crashes at boot, as it was built to: the configuration key :shop_api_key is missing"
    end

    Drain.init()
    Trouble.init()

    Supervisor.start_link(
      [
        Readiness,
        {Task.Supervisor, name: Demo.Connections},
        {Server,
         port: Application.fetch_env!(:demo, :port), bind: Application.fetch_env!(:demo, :bind)}
      ],
      strategy: :one_for_one,
      name: Demo.Supervisor
    )
  end

  # Reached by SIGTERM and by `bin/demo stop`: both run init:stop/0 (OTP, init(3)).
  @impl true
  def prep_stop(state) do
    if Knobs.on?(:refuse_to_stop), do: Process.sleep(:infinity)
    Drain.run()
    state
  end
end
