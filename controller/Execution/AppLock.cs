using Decant.Controller.State;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>The right to change an app from this machine: one controller at a time. Ends with its process, however that ends.</summary>
internal sealed class AppLock : IDisposable
{
    private readonly FileLock held;

    private AppLock(FileLock held) => this.held = held;

    /// <summary>Takes the lock.</summary>
    /// <param name="state">Where the locks are.</param>
    /// <param name="app">The app.</param>
    /// <param name="purpose">For whoever is refused: <c>deploying shop 1.2.0</c>.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="OperatorException">DEPLOYMENT_RUNS: somebody has it; the message says who.</exception>
    public static AppLock Take(StateDirectory state, AppName app, string purpose, TimeProvider time)
    {
        var path = state.LockOf(app);
        // Beside the lock: .NET takes a lock of its own on every file that it opens.
        var holder = $"{path}.holder";
        if (FileLock.TryTake(path) is not { } held) throw new OperatorException(Runs(app, Read(holder)));
        var me = ControllerProcess.Current();
        File.WriteAllText(holder, $"{me.User}, pid {me.Pid}, {purpose} since {time.GetUtcNow():u}");
        return new AppLock(held);
    }

    /// <inheritdoc/>
    public void Dispose() => held.Dispose();

    private static string Read(string holder)
    {
        try
        {
            return File.ReadAllText(holder);
        }
        catch (IOException)
        {
            return "another decant";
        }
    }

    private static OperatorError Runs(AppName app, string holder) => new(
        StatusCode.FailedPrecondition,
        Refusals.DeploymentRuns,
        $"another deployment of {app} is running on this machine: {holder}",
        $"wait for it (`decant status` shows how far it is), or stop it with Ctrl-C where it runs");
}
