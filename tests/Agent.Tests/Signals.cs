using System.Diagnostics;
using Decant.Agent.Supervision;

namespace Decant.Agent.Tests;

/// <summary>Ends processes by their ids.</summary>
internal static class Signals
{
    /// <summary>SIGKILL; one that is gone already is no error.</summary>
    public static void Kill(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            process.Kill();
        }
        catch (ArgumentException)
        {
            // It has ended by itself.
        }
    }

    /// <summary>Any signal, by a handle that means this process only.</summary>
    public static void Send(ProcessIdentity process, int signal)
    {
        using var handle = PidFd.TryOpen(process) ?? throw new InvalidOperationException($"{process} is gone");
        handle.Signal(signal);
    }
}
