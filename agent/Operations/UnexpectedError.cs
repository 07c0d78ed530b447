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
}
