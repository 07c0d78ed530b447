defmodule Demo do
  @moduledoc "A small web application that is deployed, drained, broken and rolled back by Decant's tests."

  @version Mix.Project.config()[:version]

  def version, do: @version
end
