using Decant.Agent.Api;
using Decant.Errors;
using Decant.V1;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Agent.Tests.Api;

internal sealed class RequestReaderTests
{
    private static readonly TimeSpan Min = TimeSpan.FromMilliseconds(1);

    [TestCase(long.MinValue, 0)]
    [TestCase(long.MaxValue, 0)]
    [TestCase(-1, 0)]
    [TestCase(0, -1)]
    [TestCase(0, int.MinValue)]
    [TestCase(3601, 0)]
    public void A_duration_out_of_its_bounds_is_a_wrong_field(long seconds, int nanos)
    {
        var reader = new RequestReader();

        reader.Duration("deadline", new Duration { Seconds = seconds, Nanos = nanos }, Min, Min, TimeSpan.FromHours(1));

        var refused = Assert.Throws<OperatorException>(reader.ThrowIfWrong);
        Assert.That(refused!.Error.Fields.Single().Field, Is.EqualTo("deadline"));
    }

    [Test]
    public void A_request_is_the_same_whatever_its_operations_id_its_lease_and_the_order_of_its_maps_and_another_for_another_deployment()
    {
        var request = new StartRequest { Operation = new() { Id = "a", DeploymentId = "d1" }, App = "shop", Spec = new() { Env = { ["A"] = "1", ["B"] = "2" } } };
        var same = new StartRequest { Operation = new() { Id = "b", DeploymentId = "d1", FencingToken = 7 }, App = "shop", Spec = new() { Env = { ["B"] = "2", ["A"] = "1" } } };
        var shifted = new StartRequest { Operation = new() { Id = "a", DeploymentId = "d1" }, App = "shop", Spec = new() { Env = { ["A"] = "1B", ["B"] = "2" } } };
        var other = same.Clone();
        other.Operation.DeploymentId = "d2";

        Assert.That(RequestFingerprint.Of(same), Is.EqualTo(RequestFingerprint.Of(request)));
        Assert.That(RequestFingerprint.Of(shifted), Is.Not.EqualTo(RequestFingerprint.Of(request)));
        Assert.That(RequestFingerprint.Of(other), Is.Not.EqualTo(RequestFingerprint.Of(request)));
    }
}
