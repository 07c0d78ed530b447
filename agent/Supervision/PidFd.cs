using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Decant.Agent.Supervision;

/// <summary>
/// A handle of one process (pidfd_open(2)): it never comes to mean another one, so a signal through it cannot hit a stranger, and
/// its end is an event.
/// </summary>
internal sealed partial class PidFd : IDisposable
{
    private const long PidfdSendSignal = 424;
    private const long PidfdOpen = 434;
    private const short PollIn = 1;
    private const int Interrupted = 4;

    private readonly SafeFileHandle handle;

    private PidFd(SafeFileHandle handle, ProcessIdentity identity)
    {
        this.handle = handle;
        Identity = identity;
        Exited = WaitAsync();
    }

    /// <summary>The process.</summary>
    public ProcessIdentity Identity { get; }

    /// <summary>Completes when the process is gone (or a zombie). Never fails.</summary>
    public Task Exited { get; }

    /// <summary>Opens the process; null when it is gone, or its pid is another's by now.</summary>
    public static PidFd? TryOpen(ProcessIdentity identity)
    {
        var fd = Syscall(PidfdOpen, identity.Pid, 0, 0, 0);
        if (fd < 0) return null;
        var handle = new SafeFileHandle((nint)fd, ownsHandle: true);
        // Looked at after the handle is held: from here on the pid cannot be given to another process.
        if (identity.IsAlive) return new PidFd(handle, identity);
        handle.Dispose();
        return null;
    }

    /// <summary>Sends a signal. A process that is gone is no error.</summary>
    public void Signal(int signal)
    {
        if (!Exited.IsCompleted) _ = Syscall(PidfdSendSignal, (int)handle.DangerousGetHandle(), signal, 0, 0);
    }

    /// <inheritdoc/>
    public void Dispose() => Exited.ContinueWith(_ => handle.Dispose(), TaskScheduler.Default);

    /// <summary>
    /// A pidfd becomes readable when its process ends. One small thread for each: a host runs a handful of instances, and .NET has no public
    /// event loop for foreign descriptors.
    /// </summary>
    private Task WaitAsync()
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(
            () =>
            {
                var poll = new PollFd { Fd = (int)handle.DangerousGetHandle(), Events = PollIn };
                while (Poll(ref poll, 1, -1) < 0 && Marshal.GetLastPInvokeError() == Interrupted)
                {
                }

                ended.SetResult();
            },
            maxStackSize: 64 * 1024)
        {
            IsBackground = true,
            Name = $"exit of {Identity.Pid}",
        };
        thread.Start();
        return ended.Task;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollFd
    {
        public int Fd;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Syscall(long number, int first, int second, nint third, uint fourth);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollFd descriptors, nuint count, int timeout);
}
