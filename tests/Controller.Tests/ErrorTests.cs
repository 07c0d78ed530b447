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

    [TestCase(new byte[] { 0xFF }, TestName = "A_status_that_is_no_message_is_no_agents")]
    [TestCase(new byte[] { 0x0A, 0x7F }, TestName = "A_status_that_is_cut_off_is_no_agents")]
    public void A_status_that_is_none_is_told_by_its_code(byte[] details)
    {
        var received = OperatorError.FromRpc(new RpcException(new Status(StatusCode.Unavailable, "no\u001b[2J"), new Metadata { { "grpc-status-details-bin", details } }));

        Assert.That((received.Code, received.Reason, received.Message), Is.EqualTo((StatusCode.Unavailable, "UNAVAILABLE", "no\uFFFD[2J")));
    }

    [Test]
    public void Details_that_cannot_be_read_are_left_out_and_the_rest_is_told()
    {
        var status = new OperatorError(StatusCode.NotFound, "RELEASE_NOT_FOUND", "no release").ToStatus();
        status.Details[0].Value = Google.Protobuf.ByteString.CopyFrom(0x0A, 0x7F);

        var received = OperatorError.FromStatus(status);

        Assert.That((received.Code, received.Reason, received.Message), Is.EqualTo((StatusCode.NotFound, "NOTFOUND", "no release")));
    }

    [Test]
    public void What_an_agent_or_its_app_says_steers_no_terminal_and_keeps_its_lines()
    {
        var received = OperatorError.FromStatus(new OperatorError(StatusCode.Aborted, "MIGRATION_FAILED", "failed:\n\tno \u001b]0;x\u0007 table 😀\u202E", "mend\u009B2J it").With("app", "a\u0000").ToStatus());

        Assert.That((received.Message, received.WhatNext, received.Facts["app"]), Is.EqualTo(("failed:\n\tno \uFFFD]0;x\uFFFD table 😀\uFFFD", "mend\uFFFD2J it", "a\uFFFD")));
    }

    [Test]
    public void A_wrong_request_names_every_field_that_is_wrong()
    {
        var sent = OperatorError.BadRequest([new FieldError("app", "app is missing"), new FieldError("spec.port", "0 is not a port")]);

        var received = OperatorError.FromRpc(sent.ToRpcException());

        Assert.That(received.Fields, Is.EqualTo(sent.Fields));
    }
}
