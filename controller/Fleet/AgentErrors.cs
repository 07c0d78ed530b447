using Decant.Errors;
using Grpc.Core;

namespace Decant.Controller.Fleet;

/// <summary>Tells what an agent said from what the way to it did.</summary>
internal static class AgentErrors
{
    /// <summary>
    /// The call failed on its way, or the agent asks to come back: whether the work was done is not known, and asking again for
    /// the same operation is right.
    /// </summary>
    public static bool IsUnknown(RpcException exception, OperatorError error)
    {
        if (OperatorError.StatusOf(exception) is not null)
            return error.Reason is "AGENT_STOPPING" or "UPLOAD_IN_PROGRESS" or "OFFSET_MISMATCH";
        return exception.StatusCode is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Unknown
            or StatusCode.Cancelled or StatusCode.DeadlineExceeded or StatusCode.Aborted;
    }

    /// <summary>The error that a failed call carries, with the agent's address where the agent itself did not answer.</summary>
    public static OperatorError Of(RpcException exception, AgentAddress agent)
    {
        var error = OperatorError.FromRpc(exception);
        if (OperatorError.StatusOf(exception) is not null || OperatorError.OfThisSide(exception) is not null) return error;
        return error with
        {
            Code = IsUnknown(exception, error) ? StatusCode.Unavailable : error.Code,
            Reason = "AGENT_UNREACHABLE",
            Message = $"the agent at {agent} cannot be reached: {Innermost(exception)}",
            WhatNext = $"see that decantd runs there (`systemctl status decantd`) and that {agent} can be reached from here",
        };
    }

    private static string Innermost(RpcException exception)
    {
        Exception cause = exception;
        while ((cause.InnerException ?? (cause as RpcException)?.Status.DebugException) is { } inner) cause = inner;
        return cause is RpcException rpc ? rpc.Status.Detail : cause.Message;
    }
}
