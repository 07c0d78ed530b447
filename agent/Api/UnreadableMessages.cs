using System.Globalization;
using Decant.Agent.Configuration;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>
/// Answers bytes that are no message of their call like every other wrong request. gRPC reads a call's only message before interceptors come
/// into it, and by itself says "Exception was thrown by handler" with a code that stands for a bug of the agent's.
/// </summary>
/// <param name="next">The call.</param>
/// <param name="identity">This host.</param>
/// <param name="logger">Told in one line, since whoever may connect may do so as often as he likes.</param>
internal sealed partial class UnreadableMessages(RequestDelegate next, AgentIdentity identity, ILogger<UnreadableMessages> logger)
{
    private const string Code = "grpc-status";
    private const string Details = "grpc-status-details-bin";
    private static readonly string Unknown = ((int)StatusCode.Unknown).ToString(CultureInfo.InvariantCulture);

    /// <summary>Handles a call.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        await next(context);
        var headers = context.Response.Headers;
        // Whatever the agent itself refuses or fails at has details (ErrorInterceptor).
        if (context.Response.HasStarted || headers[Code] != Unknown || headers.ContainsKey(Details)) return;
        LogUnreadable(context.Request.Path);
        var error = new OperatorError(StatusCode.InvalidArgument, "BAD_REQUEST", "the bytes that were sent are no message of this call")
            .With("host", identity.Host).ToRpcException();
        headers[Code] = ((int)error.StatusCode).ToString(CultureInfo.InvariantCulture);
        headers["grpc-message"] = Uri.EscapeDataString(error.Status.Detail);
        headers[Details] = Convert.ToBase64String(error.Trailers.GetValueBytes(Details)!);
    }

    [LoggerMessage(111, LogLevel.Information, "{Method} was sent bytes that are no message")]
    private partial void LogUnreadable(string method);
}
