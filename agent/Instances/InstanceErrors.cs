using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Instances;

/// <summary>What can be wrong with instances, in operators' words; the reasons are listed at the calls in instances.proto.</summary>
internal static class InstanceErrors
{
    public static OperatorException NotRunning(InstanceKey key) => Of(
        StatusCode.FailedPrecondition, "NOT_RUNNING", key, $"nothing runs in {key}", "start it first");

    public static OperatorException SlotNotFound(InstanceKey key) => Of(
        StatusCode.NotFound, "SLOT_NOT_FOUND", key, $"nothing was ever started in {key}", "ListInstances shows the slots of this host");

    public static OperatorException SlotOccupied(InstanceKey key, ReleaseId running) => Of(
        StatusCode.FailedPrecondition, "SLOT_OCCUPIED", key, $"{key} runs {running} (or the same with other settings)", "stop it first");

    public static OperatorException PortInUse(InstanceKey key, int port, string owner) => Of(
        StatusCode.FailedPrecondition,
        "PORT_IN_USE",
        key,
        $"port {port} of {key} is taken by {owner}",
        "end that process, or give the slot another port; nothing was started");

    public static OperatorException NodeNameInUse(InstanceKey key, string node) => Of(
        StatusCode.Aborted,
        "START_FAILED",
        key,
        $"the node name {node} of {key} is registered with epmd by another live Erlang node",
        "stop that node (epmd -names shows it), or give the slot another node name; nothing was started");

    public static OperatorException Exited(InstanceKey key, ReleaseId release, ExitReport exit) => Of(
        StatusCode.Aborted,
        "INSTANCE_EXITED",
        key,
        $"{key} ({release.Version}) ended by itself: {exit.Describe()}; its last lines:\n{string.Join('\n', exit.Tail.TakeLast(10))}",
        exit.CrashDump is { } dump ? $"look at its output (decant logs) and at the crash dump {dump}" : "look at its output: decant logs");

    public static OperatorException NotHealthy(InstanceKey key, ReleaseId release, TimeSpan after, string why, IReadOnlyList<string> tail) => Of(
        StatusCode.DeadlineExceeded,
        "NOT_HEALTHY",
        key,
        $"{key} ({release.Version}) was not healthy within {after.TotalSeconds:0.###} s: {why}; its last lines:\n{string.Join('\n', tail)}",
        "look at its output: decant logs; raise strategy.healthy_deadline if it needs longer to warm up");

    public static OperatorException DidNotStayHealthy(InstanceKey key, ReleaseId release, string why, IReadOnlyList<string> tail) => Of(
        StatusCode.Aborted,
        "NOT_HEALTHY",
        key,
        $"{key} ({release.Version}) became healthy but did not stay so: {why}; its last lines:\n{string.Join('\n', tail)}",
        "look at its output: decant logs");

    public static OperatorException WrongRelease(InstanceKey key, string wanted, string found, string source) => Of(
        StatusCode.Aborted,
        "WRONG_RELEASE",
        key,
        $"{key} should run {wanted}, but its {source} says that it runs {found}",
        "stop it and start it again; if it comes back, another program starts this app on the host");

    public static OperatorException NotStopped(InstanceKey key, int pid) => Of(
        StatusCode.DeadlineExceeded,
        "STOP_FAILED",
        key,
        $"pid {pid} of {key} is still there after SIGKILL: it hangs in the kernel (a dead disk or network file system)",
        "look at the host; nothing else was touched");

    private static OperatorException Of(StatusCode code, string reason, InstanceKey key, string message, string next)
        => new(new OperatorError(code, reason, message, next).With("app", key.App.Value).With("slot", key.Slot.Value));
}
