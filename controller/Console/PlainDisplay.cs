using Decant.Controller.Execution;

namespace Decant.Controller.Console;

/// <summary>One line for each thing that happens, with its time; for logs, CI and pipes.</summary>
internal sealed class PlainDisplay(Terminal terminal) : DeploymentDisplay
{
    /// <inheritdoc/>
    public override void Show(DeploymentEvent item)
    {
        foreach (var line in EventText.Of(item)) terminal.Line(line.Length == 0 ? "" : $"{item.At:HH:mm:ss.f} {line}");
    }
}
