/* The stack switch on x86-64 (System V ABI): callee-saved registers, and the control words of SSE and x87. */
#if defined(__x86_64__)
    .text
    .globl norn_context_swap
    .hidden norn_context_swap
    .type norn_context_swap, @function
/* void norn_context_swap(void **save_sp, void *load_sp) */
norn_context_swap:
    .cfi_startproc
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .cfi_endproc
    .size norn_context_swap, . - norn_context_swap

    .globl norn_context_entry
    .hidden norn_context_entry
    .type norn_context_entry, @function
/* First frame of a new stack: r12 holds the argument, r13 the function. The undefined return address ends backtraces. */
norn_context_entry:
    .cfi_startproc
    .cfi_undefined rip
    movq %r12, %rdi
    xorl %ebp, %ebp
    call *%r13
    ud2
    .cfi_endproc
    .size norn_context_entry, . - norn_context_entry
    .section .note.GNU-stack,"",@progbits
#endif
