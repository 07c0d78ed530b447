using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace Decant.EndToEnd.Harness;

/// <summary>The contract by its own descriptors: so that a test of every call has also those that come later.</summary>
internal static class Contract
{
    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(bytes => bytes, bytes => bytes);

    public static IReadOnlyList<ServiceDescriptor> Services => ContractServices.All;

    public static IEnumerable<MethodDescriptor> Methods => Services.SelectMany(s => s.Methods);

    /// <summary>Calls that change something: they carry an OperationRef.</summary>
    public static IEnumerable<MethodDescriptor> Mutating => Methods.Where(m => m.InputType.FindFieldByName("operation") is not null);

    /// <summary>Makes a call with one message, in whatever form it has, and reads what comes.</summary>
    /// <returns>The messages; the status is thrown when it is not OK.</returns>
    public static async Task<IReadOnlyList<IMessage>> CallAsync(CallInvoker agent, MethodDescriptor method, byte[] request, CancellationToken cancellation)
    {
        var type = (method.IsClientStreaming, method.IsServerStreaming) switch
        {
            (true, _) => MethodType.ClientStreaming,
            (_, true) => MethodType.ServerStreaming,
            _ => MethodType.Unary,
        };
        var call = new Method<byte[], byte[]>(type, method.Service.FullName, method.Name, Bytes, Bytes);
        var options = new CallOptions(cancellationToken: cancellation);
        var answers = new List<IMessage>();
        switch (type)
        {
            case MethodType.Unary:
                using (var unary = agent.AsyncUnaryCall(call, null, options, request)) answers.Add(Parse(method, await unary));
                break;
            case MethodType.ServerStreaming:
                using (var streaming = agent.AsyncServerStreamingCall(call, null, options, request))
                {
                    await foreach (var answer in streaming.ResponseStream.ReadAllAsync(cancellation)) answers.Add(Parse(method, answer));
                }

                break;
            default:
                using (var sending = agent.AsyncClientStreamingCall(call, null, options))
                {
                    try
                    {
                        await sending.RequestStream.WriteAsync(request, cancellation);
                        await sending.RequestStream.CompleteAsync();
                    }
                    catch (Exception exception) when (exception is RpcException or InvalidOperationException or IOException or HttpRequestException)
                    {
                        // The stream ended under the writer: the call's own status says why.
                    }

                    answers.Add(Parse(method, await sending));
                }

                break;
        }

        return answers;
    }

    private static IMessage Parse(MethodDescriptor method, byte[] answer) => method.OutputType.Parser.ParseFrom(answer);
}
