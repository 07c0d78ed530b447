using Decant.Errors;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>Which exit code an error has that ends a command before, or instead of, a deployment.</summary>
internal static class ExitCodes
{
    /// <summary>The exit code of an error.</summary>
    public static ExitCode Of(OperatorError error) => error switch
    {
        { Reason: Refusals.ReleaseFailedBefore or Refusals.DeploymentRuns or Refusals.OutsideWindow } => ExitCode.Refused,
        { Reason: Refusals.LeaseHeld or Refusals.LeaseLost or Refusals.OperationsRunning } => ExitCode.Refused,
        { Code: StatusCode.Unauthenticated or StatusCode.PermissionDenied } => ExitCode.Refused,
        { Code: StatusCode.Unavailable } => ExitCode.Unreachable,
        { Code: StatusCode.InvalidArgument or StatusCode.NotFound or StatusCode.FailedPrecondition or StatusCode.AlreadyExists } => ExitCode.Usage,
        { Code: StatusCode.Aborted or StatusCode.DeadlineExceeded } => ExitCode.FailedSafely,
        { Code: StatusCode.Cancelled } => ExitCode.Stopped,
        _ => ExitCode.Unexpected,
    };
}
