using Decant.Controller.Execution;

namespace Decant.Controller.Console;

/// <summary>Shows a deployment while it runs: a live table for people who watch, plain lines for logs, JSON for machines.</summary>
internal abstract class DeploymentDisplay : IDisposable
{
    /// <summary>The display that fits where the output goes.</summary>
    public static DeploymentDisplay For(Terminal terminal, bool json, TimeProvider time)
        => json ? new JsonDisplay(terminal)
            : terminal.IsInteractive ? new LiveDisplay(terminal, time)
            : new PlainDisplay(terminal);

    /// <summary>One more event; in order, from one thread at a time.</summary>
    public abstract void Show(DeploymentEvent item);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends the display.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
