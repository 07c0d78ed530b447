using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Tests.Api;

internal sealed class ErrorSizeTests
{
    /// <summary>What gRPC clients take by default: max_metadata_size.</summary>
    private const int MetadataLimit = 8 * 1024;

    [Test]
    public void However_much_an_error_has_to_say_it_fits_into_the_trailers_that_clients_take()
    {
        var lines = string.Join('\n', Enumerable.Range(0, 200).Select(n => $"{n}: {new string('x', 1000)}"));
        OperatorError[] errors =
        [
            new OperatorError(StatusCode.Aborted, "MIGRATION_FAILED", $"the migration failed; its last lines:\n{lines}\nthe last line", lines)
                .With("app", new string('a', 5000)).With("host", "web1"),
            OperatorError.BadRequest([.. Enumerable.Range(0, 500).Select(n => new FieldError($"spec.env[{n}{new string('n', 3000)}]", "not a name"))]),
        ];

        foreach (var error in errors)
        {
            var exception = error.ToRpcException();
            var size = exception.Trailers.Sum(t => t.Key.Length + 32 + (t.IsBinary ? t.ValueBytes.Length * 4 / 3 : t.Value.Length))
                + Uri.EscapeDataString(exception.Status.Detail).Length;
            Assert.That(size, Is.LessThan(MetadataLimit), error.Reason);
            Assert.That(OperatorError.FromRpc(exception).Reason, Is.EqualTo(error.Reason));
        }

        Assert.That(OperatorError.FromRpc(errors[0].ToRpcException()).Message, Does.StartWith("the migration failed").And.EndsWith("the last line"));
        Assert.That(OperatorError.FromRpc(errors[1].ToRpcException()).Fields[^1].Reason, Does.Match("^and [0-9]+ more$"));
    }

    [Test]
    public void An_error_of_usual_size_travels_whole()
    {
        var error = OperatorError.BadRequest([.. Enumerable.Range(0, 12).Select(n => new FieldError($"field_{n}", "is missing"))]).With("host", "web1");

        var received = OperatorError.FromRpc(error.ToRpcException());

        Assert.That(received.Fields, Is.EqualTo(error.Fields));
        Assert.That(received.Message, Is.EqualTo(error.Message));
    }
}
