using Decant.Controller.Execution;

namespace Decant.Controller.Console;

/// <summary>One JSON object for each event; see <see cref="EventLine"/>.</summary>
internal sealed class JsonDisplay(Terminal terminal) : DeploymentDisplay
{
    /// <inheritdoc/>
    public override void Show(DeploymentEvent item) => terminal.Json(DeploymentEventJson.Write(item));
}
