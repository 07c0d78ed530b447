using Decant.Agent.State;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Operations;

/// <summary>What operators are told of an exception that nobody foresaw where it happened; the log has its trace.</summary>
internal static class UnexpectedError
{
    /// <summary>DISK_FULL when that is what it was; INTERNAL otherwise.</summary>
    public static OperatorError Of(Exception exception) => exception is IOException io && io.IsDiskFull()
        ? new OperatorError(
            StatusCode.ResourceExhausted, "DISK_FULL", $"no space left: {exception.Message}", "prune old releases or free space, then try again")
        : new OperatorError(
            StatusCode.Internal, "INTERNAL", $"unexpected: {exception.Message}", "the agent's log has the details; please report this as a bug");

    /// <summary>What is to outlive the agent cannot be written: DISK_FULL or JOURNAL_UNWRITABLE.</summary>
    /// <param name="exception">Why.</param>
    /// <param name="what">What the agent cannot write: <c>leases</c>.</param>
    public static OperatorError Unwritable(IOException exception, string what) => exception.IsDiskFull()
        ? Of(exception)
        : new OperatorError(
            StatusCode.Internal, "JOURNAL_UNWRITABLE", $"the agent cannot write its {what}: {exception.Message}", "mend the disk that holds data_dir");
}
