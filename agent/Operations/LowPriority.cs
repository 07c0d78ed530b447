using System.Runtime.InteropServices;

namespace Decant.Agent.Operations;

/// <summary>
/// For work that prepares a deployment while the app serves on: it takes the processor time that nobody else wants, so that preparing does not
/// slow answers down. What an app waits for, and migrations, run as everything else does.
/// </summary>
internal static partial class LowPriority
{
    /// <summary>Niceness (nice(1), sched(7)): about a tenth of a busy processor.</summary>
    public const int Nice = 10;

    private const int PrioProcess = 0;

    /// <summary>Does it on a thread of its own.</summary>
    public static Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            // On Linux this is the calling thread's alone (setpriority(2), "C library/kernel differences"), and ends with it. Refused: as before.
            _ = SetPriority(PrioProcess, 0, Nice);
            try
            {
                done.SetResult(work());
            }
            catch (Exception exception)
            {
                done.SetException(exception);
            }
        })
        { IsBackground = true, Name = "low priority" }.Start();
        return done.Task;
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int priority);
}
