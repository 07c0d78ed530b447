defmodule Demo.Knobs do
  @moduledoc """
  Ways to misbehave: built into a release, or asked for by DEMO_MISBEHAVE (a comma list).

    * crash_at_boot, never_healthy, crash_after_healthy (after DEMO_CRASH_AFTER_MS), refuse_to_stop
    * slow_migration (each takes DEMO_MIGRATION_MS), failing_migration
    * error_rate (DEMO_ERROR_PERCENT of /fast answers are 500)
    * errors_5_percent (each 20th answer is 500, whatever was asked), slow_answers (each comes DEMO_SLOWER_MS later); not /health's
  """

  def on?(knob) do
    name = Atom.to_string(knob)
    name in Application.get_env(:demo, :misbehave, []) or name in asked_for()
  end

  def integer(variable, default) do
    case System.get_env(variable) do
      nil -> default
      text -> String.to_integer(text)
    end
  end

  defp asked_for, do: "DEMO_MISBEHAVE" |> System.get_env("") |> String.split(",", trim: true)
end
