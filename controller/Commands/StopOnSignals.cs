using System.Runtime.InteropServices;
using Decant.Controller.Execution;

namespace Decant.Controller.Commands;

/// <summary>Turns Ctrl-C (SIGINT) and SIGTERM into a <see cref="StopSignal"/>: once stops after the running steps, twice aborts.</summary>
internal sealed class StopOnSignals : IDisposable
{
    private readonly PosixSignalRegistration interrupt;
    private readonly PosixSignalRegistration terminate;

    public StopOnSignals(StopSignal stop)
    {
        interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle);
        terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle);

        void Handle(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Request();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        interrupt.Dispose();
        terminate.Dispose();
    }
}
