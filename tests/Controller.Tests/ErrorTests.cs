using Decant.Errors;
using Grpc.Core;

namespace Decant.Controller.Tests;

public class ErrorTests
{
    [Test]
    public void An_error_arrives_over_the_wire_as_it_was_sent()
    {
        var sent = new OperatorError(StatusCode.FailedPrecondition, "SLOT_OCCUPIED", "shop/main runs 1.0.0", "stop it first")
            .With("host", "web1");

        var received = OperatorError.FromRpc(sent.ToRpcException());

        Assert.Multiple(() =>
        {
            Assert.That(received.Reason, Is.EqualTo("SLOT_OCCUPIED"));
            Assert.That(received.WhatNext, Is.EqualTo("stop it first"));
            Assert.That(received.Facts, Is.EqualTo(new Dictionary<string, string> { ["host"] = "web1" }));
        });
    }

    [Test]
    public void A_wrong_request_names_every_field_that_is_wrong()
    {
        var sent = OperatorError.BadRequest([new FieldError("app", "app is missing"), new FieldError("spec.port", "0 is not a port")]);

        var received = OperatorError.FromRpc(sent.ToRpcException());

        Assert.That(received.Fields, Is.EqualTo(sent.Fields));
    }
}
